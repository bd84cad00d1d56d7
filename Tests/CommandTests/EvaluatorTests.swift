import Foundation
import TestSupport
import Testing

/// Sweeps and plans of a model that a process of the user's measures, here a stand-in of made-up losses.
@Suite struct EvaluatorTests {
    private static let standIn =
        TestFiles.root.appending(path: "Tests/CommandTests/StandIns/evaluator.py").path

    /// The command of the stand-in.
    ///
    /// - Parameter misbehaviour: what it does wrong, from which request for losses on and to which.
    private func command(_ workspace: Workspace, _ misbehaviour: String = "") -> String {
        "\(Program.python ?? "python3") '\(Self.standIn)' '\(workspace.path("log"))' \(misbehaviour)"
    }

    private func sweep(
        _ workspace: Workspace, _ misbehaviour: String = "", _ more: [String] = ["--no-store"],
        output: String = "table"
    ) -> [String] {
        ["sweep", "--evaluator", command(workspace, misbehaviour), "--output", workspace.path(output)] + more
    }

    private func log(_ workspace: Workspace) throws -> [Substring] {
        String(decoding: try workspace.read("log"), as: UTF8.self).split(separator: "\n")
    }

    /// 4 schemes of 4 sublayers and of the kind Conv (Head is one sublayer), and full precision.
    private static let measurements = 4 * (4 + 1) + 1

    @Test func tableIsThatOfTheLosses() throws {
        let workspace = try Workspace()
        let table = try Program.succeed(sweep(workspace) + ["--json"]).object()
        let cells = try #require(table["bySublayer"] as? [[String: Any]])
        #expect(cells.count == 16 && (table["byType"] as? [Any])?.count == 8)
        #expect((table["model"] as? [String: String])?["type"] == "synthetic")
        #expect((table["provenance"] as? [String: Any])?["metric"] as? String == "accuracy")
        let asked = try log(workspace).filter { $0.hasPrefix("ask") }.map { $0.split(separator: " ") }
        #expect(asked.filter { $0[2] == "40" }.reduce(0) { $0 + (Int($1[1]) ?? 0) } == Self.measurements)
        #expect(asked.allSatisfy { (1...3).contains(Int($0[1]) ?? 0) }, "as many at a time as it asked for")

        // The mean over predictions of the first cell, by the stand-in's own formula.
        let script =
            "import sys; sys.argv = ['', '\(workspace.path("log2"))']; sys.stdin = []; import os; os.environ['BITPLAN_WORKER'] = '0'; "
            + "exec(open('\(Self.standIn)').read()); n = [1 + i % 5 for i in range(ITEMS)]; "
            + "print(sum(t * loss({'Conv.1': 'bcq2'}, i) for i, t in enumerate(n)) / sum(n))"
        let expected = try Program.run(
            URL(filePath: "/usr/bin/env"), [Program.python ?? "python3", "-c", script])
        let cell = try #require(
            cells.first { $0["row"] as? String == "Conv.1" && $0["scheme"] as? String == "bcq2" })
        let kl = try #require((cell["measurement"] as? [String: Any])?["klNats"] as? Double)
        let mean = try #require(Double(expected.text.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(abs(kl - mean) < 1e-12)
    }

    @Test func workersAndTroubleChangeNoByte() throws {
        let workspace = try Workspace()
        try Program.succeed(sweep(workspace))
        let expected = try workspace.read("table")
        // Every misbehaviour that another try mends, while 3 processes measure.
        for kind in ["crash", "killed", "half", "text", "other-id", "negative", "not-finite", "short", "few"]
        {
            let other = try Workspace()
            try Program.succeed(sweep(other, "\(kind) 2 4", ["--no-store", "--workers", "3"]))
            #expect(try other.read("table") == expected, "\(kind)")
            let starts = try log(other).filter { $0.hasPrefix("start") }
            #expect(Set(starts) == ["start 0", "start 1", "start 2"] && starts.count > 3, "\(kind)")
        }
    }

    @Test(
        arguments: [
            ("crash", ["ended with status 3", "Traceback: no memory left"]),
            ("killed", ["was ended by signal 9"]),
            ("silent", ["did not answer within 4.0 s"]), ("half", ["within a line, after 20 bytes"]),
            ("text", ["gave a wrong answer"]), ("other-id", ["answered request"]),
            ("refuses", ["says: no kernel for bcq1"]), ("negative", ["'kl' -0.5", "0 or more"]),
            ("not-finite", ["gave a wrong answer"]), ("short", ["answered 39 items in 'kl', expected 40"]),
            ("few", ["assignments, expected"]), ("biased", ["full precision has a KL of 0.03"]),
            ("version", ["version 2 of the protocol, expected 1"]),
            ("shape", ["matrix 'Conv.1'", "-4 x 16"]),
            ("twice", ["two sublayers called 'Conv.0'"]),
        ] as [(String, [String])])
    func misbehaviourIsOneLine(_ kind: String, _ parts: [String]) throws {
        let workspace = try Workspace()
        try workspace.write("", to: "log")
        let timeout = kind == "silent" ? "4" : "20"
        try expectRefusal(
            sweep(workspace, kind, ["--no-store", "--retries", "1", "--timeout", timeout]), in: workspace,
            saying: ["evaluator '"] + parts)
        let starts = try log(workspace).count { $0.hasPrefix("start") }
        #expect(starts == (["refuses", "version", "biased"].contains(kind) ? 1 : 2), "\(kind): one retry")
    }

    @Test func anotherModelAfterACrashIsRefused() throws {
        let workspace = try Workspace()
        try workspace.write("", to: "log")
        let first =
            "if [ -s '\(workspace.path("log"))' ]; then \(command(workspace, "changes 9999")); else "
            + "\(command(workspace, "crash 2")); fi"
        try expectRefusal(
            ["sweep", "--no-store", "--evaluator", first], in: workspace, saying: ["is another model"])
    }

    @Test func whatWasMeasuredIsKept() throws {
        let workspace = try Workspace()
        let store = ["--store", workspace.path("store")]
        let failed = try Program.bitplan(sweep(workspace, "crash 4", store + ["--retries", "0"]))
        #expect(failed.status == 1 && failed.errorLines.count == 1, "\(failed.error)")
        let before = try log(workspace).count { $0.hasPrefix("ask") }
        let outcome = try Program.succeed(sweep(workspace, "", store))
        let numbers = try #require(outcome.errorLines.last { $0.hasPrefix("store: ") })
            .split { !$0.isNumber }.compactMap { Int($0) }
        #expect(before == 4 && numbers[0] == 7 && numbers[1] == Self.measurements - 7, "\(outcome.error)")
        let again = try Program.succeed(sweep(workspace, "crash 1", store))
        #expect(again.error.contains("\(Self.measurements) measurements were kept, 0 were made"))
        try Program.succeed(sweep(workspace, output: "other"))
        #expect(try workspace.read("table") == workspace.read("other"))
    }

    @Test func stoppingMeasuresLess() throws {
        let workspace = try Workspace()
        try Program.succeed(sweep(workspace, "", ["--no-store", "--precision", "0.05"]))
        let asked = try log(workspace).filter { $0.hasPrefix("ask") }.map { $0.split(separator: " ") }
        let items = asked.reduce(0) { $0 + (Int($1[1]) ?? 0) * (Int($1[2]) ?? 0) }
        #expect(items < Self.measurements * 40, "some cells stopped: \(items)")
    }

    /// Every line of a sweep and a plan is as the schema says, by Python's jsonschema.
    @Test(.enabled(if: Program.python != nil, "BITPLAN_PYTHON is not set")) func linesAreAsTheSchemaSays()
        throws
    {
        let workspace = try Workspace()
        // A file for each direction: two that write to one would mix their lines.
        let (asked, answered) = (workspace.path("asked"), workspace.path("answered"))
        let tapped = "tee -a '\(asked)' | \(command(workspace)) | tee -a '\(answered)'"
        for more in [
            ["sweep", "--output", workspace.path("table")],
            ["plan", workspace.path("table"), "--size", "1000B"],
        ] {
            try Program.succeed(more + ["--no-store", "--evaluator", tapped])
        }
        try Program.succeed(sweep(workspace, "refuses 9999"))
        let schema = TestFiles.root.appending(path: "Documentation/evaluator.schema.json").path
        let script =
            "import json, jsonschema as j, sys; v = j.Draft202012Validator(json.load(open(sys.argv[1]))); "
            + "lines = [json.loads(l) for f in sys.argv[2:] for l in open(f)]; [v.validate(l) for l in lines]; "
            + "wrong = [l for l in lines if v.is_valid({**l, 'id': 'x'})]; print(len(lines), len(wrong))"
        let python = try #require(Program.python)
        let checked = try Program.run(
            URL(filePath: python), ["-c", script, schema, asked, answered])
        let counts = checked.text.split { !$0.isNumber }.compactMap { Int($0) }
        #expect(
            checked.status == 0 && counts.count == 2 && counts[0] > 20 && counts[1] == 0, "\(checked.error)")
    }

    /// The exact plan, improved in context, through the gate, and on to the report, the frontier and an
    /// export.
    @Test func planIsMadeInContext() throws {
        let workspace = try Workspace()
        try Program.succeed(sweep(workspace))
        let plan = try Program.succeed(
            [
                "plan", workspace.path("table"), "--size", "1000B", "--no-store", "--output",
                workspace.path("plan"),
            ]
                + ["--evaluator", command(workspace), "--workers", "2", "--json"]
        ).object()
        let measured = try #require(plan["measured"] as? [[String: Any]])
        let written = try #require(measured.first { $0["name"] as? String == plan["name"] as? String })
        let least = measured.compactMap { $0["klNats"] as? Double }.min()
        #expect(written["klNats"] as? Double == least && written["metric"] is Double)
        #expect(measured.contains { ($0["name"] as? String)?.hasPrefix("uniform") == true })
        #expect((plan["rounds"] as? [Any])?.isEmpty == false, "rounds in context")
        #expect(try #require(written["bytes"] as? Int) <= 1000)
        let files = [workspace.path("table"), "--plan", workspace.path("plan")]
        try Program.succeed(
            ["report"] + files
                + ["--output", workspace.path("r/r.md"), "--html", workspace.path("r/r.html")])
        for name in ["r.md", "r.html", "r.sensitivity.svg", "r.bits.svg"] {
            let text = String(decoding: try workspace.read("r/\(name)"), as: UTF8.self)
            #expect(text.contains("Conv"), "\(name): its own sublayers")
        }
        #expect(try workspace.read("r/r.frontier.svg").starts(with: Data("<svg ".utf8)))
        let frontier = try Program.succeed(["frontier"] + files + ["--at", "1000B", "--json"]).object()
        let predicted = try #require(plan["predicted"] as? [String: Any])
        #expect((frontier["points"] as? [[String: Any]])?.isEmpty == false && predicted["bytes"] is Int)
        try expectRefusal(
            ["export", workspace.path("plan"), "--sweep", workspace.path("table"), "--to", "mlx"],
            in: workspace, saying: ["synthetic"])
    }

    @Test func whatItSettlesItselfIsRefusedByName() throws {
        let workspace = try Workspace()
        for more in [["--data", "x"], ["--fit", "greedy"], ["--threads", "2"], ["--dry-run"], ["--naive"]] {
            try expectRefusal(
                ["sweep", "--evaluator", "cat"] + more, in: workspace,
                saying: ["\(more[0]) is settled by the evaluator"])
        }
        try expectRefusal(
            ["sweep", "model", "--evaluator", "cat"], in: workspace,
            saying: ["a model directory or --evaluator"])
        try expectRefusal(
            ["sweep", Fixture.model.path, "--workers", "2", "--data", "x"], in: workspace,
            saying: ["--workers needs --evaluator"])
        try workspace.write("", to: "log")
        try expectRefusal(
            ["sweep", "--evaluator", command(workspace), "--schemes", "tcq3", "--no-store"], in: workspace,
            saying: ["does not measure 'tcq3'", "bcq1, bcq2, bcq3, int4"])
    }

    /// Every number of parts, with codes that are fitted alone and behind each other, makes the plan that is
    /// made at once.
    @Test(arguments: [("", [1, 2, 4]), ("in-order", [2])])
    func partsOfPlanningMakeTheSamePlan(_ kind: String, _ counts: [Int]) throws {
        let workspace = try Workspace()
        try Program.succeed(sweep(workspace, kind))
        let plan = [
            "plan", workspace.path("table"), "--size", "1000B", "--evaluator", command(workspace, kind),
        ]
        try Program.succeed(plan + ["--no-store", "--output", workspace.path("whole")])
        for count in counts {
            let (store, rounds) = try ShardTests.parts(of: plan, count, in: workspace)
            #expect((rounds == 1) == (count == 1))
            let outcome = try Program.succeed(
                plan + ["--store", store, "--output", workspace.path("plan\(count)")])
            #expect(outcome.error.contains(" 0 were made"), "\(outcome.error)")
            #expect(try workspace.read("plan\(count)") == workspace.read("whole"))
        }
        let info = try Program.succeed(["store", "info", workspace.path("round2.1"), "--json"]).object()
        let experiments = try #require(info["experiments"] as? [[String: Any]])
        #expect(experiments.allSatisfy { $0["weights"] as? String == String(repeating: "ab", count: 32) })
    }

    @Test func partsOfASweepMakeTheSameTable() throws {
        let workspace = try Workspace()
        try Program.succeed(sweep(workspace))
        for count in [1, 2, 4] {
            let parts = (1...count).map { workspace.path("part\(count).\($0)") }
            for (index, part) in parts.enumerated() {
                try Program.succeed([
                    "sweep", "--evaluator", command(workspace), "--store", part, "--shard",
                    "\(index + 1)/\(count)",
                ])
            }
            let merged = workspace.path("merged\(count)")
            try Program.succeed(["store", "merge"] + parts + [parts[0], "--output", merged])
            let outcome = try Program.succeed([
                "sweep", "--evaluator", command(workspace), "--store", merged, "--output",
                workspace.path("table\(count)"),
            ])
            // Full precision is no cell: it is measured where the table is made.
            #expect(outcome.error.contains("\(Self.measurements - 1) measurements were kept, 1 were made"))
            #expect(try workspace.read("table") == workspace.read("table\(count)"))
        }
    }

    /// Stand-ins for llama.cpp's two programs, which know nothing but their command line and output: what is
    /// asked of them and read from them, not llama.cpp.
    @Test func llamaCppIsAskedByItsOwnPrograms() throws {
        let workspace = try Workspace()
        let writer = """
            import struct, sys
            text = lambda s: struct.pack("<Q", len(s)) + s.encode()
            shapes = [("token_embd.weight", [64, 100]), ("blk.0.attn_q.weight", [64, 64]),
                      ("blk.0.ffn_up.weight", [64, 128]), ("output_norm.weight", [64])]
            head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), 2)
            head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
            head += text("a.list") + struct.pack("<IIQ", 9, 4, 2) + struct.pack("<II", 1, 2)
            for name, sizes in shapes:
                head += text(name) + struct.pack("<I", len(sizes)) + b"".join(struct.pack("<Q", n) for n in sizes)
                head += struct.pack("<IQ", 0, 0)
            open(sys.argv[1], "wb").write(head)
            """
        let python = Program.python ?? "python3"
        let model = workspace.path("model.gguf")
        _ = try Program.run(URL(filePath: "/usr/bin/env"), [python, "-c", writer, model])
        try workspace.write("text\n", to: "text")
        let standIn = TestFiles.root.appending(path: "Tests/CommandTests/StandIns/llama_cpp.py").path
        let program = try workspace.write("#!/bin/sh\nexec \(python) '\(standIn)' \"$@\"\n", to: "llama")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
        let script = TestFiles.root.appending(path: "Scripts/evaluators/llama_cpp_evaluator.py").path
        func command(_ program: String) -> String {
            "\(python) '\(script)' '\(model)' --data '\(workspace.path("text"))' --context 64 "
                + "--quantize '\(program)' --perplexity '\(program)'"
        }
        let table = try Program.succeed(
            ["sweep", "--no-store", "--json", "--evaluator", command(program.path)]
        ).object()
        let cells = try #require(table["bySublayer"] as? [[String: Any]])
        #expect(cells.count == 3 * 6, "embedding, attention and feed-forward under 6 types")
        let cell = try #require(
            cells.first { $0["row"] as? String == "FFN.0" && $0["scheme"] as? String == "int4:g32:fp16" })
        let kl = try #require((cell["measurement"] as? [String: Any])?["klNats"] as? Double)
        #expect(abs(kl - (0.7 + 0.9 + 1.1 + 1.3) / 4 / 256) < 1e-5)
        #expect(cell["bytes"] as? Int == 128 * 64 / 32 * 18, "Q4_0 has 18 bytes for 32 weights")
        try expectRefusal(
            ["sweep", "--no-store", "--evaluator", command("none-such"), "--retries", "0"], in: workspace,
            saying: ["ended with status 1", "none-such: No such file"])
    }
}
