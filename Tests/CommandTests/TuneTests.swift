import Foundation
import TestSupport
import Testing

/// `bitplan tune`: better or equal on held-out data, the same bytes however a run went, one line for bad
/// input.
@Suite struct TuneTests {
    private static let head = ["tune", Fixture.model.path, "--no-store", "--data"] + Fixture.planning
    private static let options = ["--limit", "60", "--fit", "greedy", "--steps", "12", "--batch-size", "12"]

    private func tensors(_ workspace: Workspace, _ name: String) throws -> Data {
        try workspace.read(name + "/model.safetensors")
    }

    private func log(_ workspace: Workspace, _ name: String) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: workspace.read(name + ".training.json")) as? [String: Any])
    }

    @Test(arguments: [
        ("scales", "tcq2"), ("weights", "tcq2"), ("chung", "tcq2"), ("quant-noise", "pq:b8:k16"),
        ("ipq", "pq:b8:k16"), ("bitnet", "bitlinear"),
    ])
    func theSameBytesOnAnyThreadsAndAfterKills(_ recipe: String, _ preset: String) throws {
        let workspace = try Workspace()
        func arguments(_ name: String, _ more: [String] = []) -> [String] {
            Self.head + Self.options + ["--preset", preset, "--recipe", recipe]
                + ["--output", workspace.path(name)] + more
        }
        try Program.succeed(arguments("whole"))
        let log = try log(workspace, "whole")
        let points = try #require(log["points"] as? [[String: Any]]).compactMap { $0["heldOut"] as? Double }
        // Twelve steps are too few for weights that begin in full precision.
        let learns = recipe == "scales" || recipe == "weights"
        #expect(
            points.count >= 2 && (points.min() ?? 1) < (learns ? 0.9 : 1.01) * (points.first ?? 0),
            "\(points)")
        let packed = try #require(log["packedHeldOut"] as? Double)
        let best = try #require(points.min())
        // Activations of 8 bits may round the other way.
        let tolerance = recipe == "bitnet" ? 0.02 : 1e-3
        #expect(abs(packed - best) < tolerance * best, "packed \(packed), trained \(best)")

        try Program.succeed(arguments("one", ["--threads", "1"]))
        #expect(try tensors(workspace, "one") == tensors(workspace, "whole"))

        // Killed as soon as a checkpoint is there, then after the next one, and so on to the end.
        let checkpoint = workspace.file("killed.checkpoint.safetensors")
        var kills = 0
        var last = Date.distantPast
        func modified() -> Date {
            (try? FileManager.default.attributesOfItem(atPath: checkpoint.path)[.modificationDate]) as? Date
                ?? .distantPast
        }
        while kills < 3 {
            let more = ["--checkpoint-every", "0"] + (kills == 0 ? [] : ["--resume"])
            guard try Program.killed(arguments("killed", more), when: { modified() > last }) else { break }
            last = modified()
            kills += 1
        }
        #expect(kills >= 2)
        #expect(!FileManager.default.fileExists(atPath: workspace.path("killed")))
        // What is there is not overwritten unasked, and no other run goes on from it.
        try expectRefusal(arguments("killed"), in: workspace, saying: ["--resume"])
        try expectRefusal(
            arguments("killed", ["--resume", "--rate", "0.5"]), in: workspace,
            saying: ["another run", "rates.numbers"])
        try Program.succeed(arguments("killed", ["--resume"]))
        #expect(try tensors(workspace, "killed") == tensors(workspace, "whole"))
        #expect(!FileManager.default.fileExists(atPath: checkpoint.path))

        // Tuned models go on being tuned, evaluated and reported.
        try Program.succeed(
            Self.head + ["--limit", "60", "--packed", workspace.path("whole"), "--recipe", "scales"]
                + ["--steps", "3", "--output", workspace.path("more")])
        let report = try Program.succeed(
            ["report", "--training", workspace.path("whole.training.json")]
                + ["--output", workspace.path("r.md")])
        #expect(report.status == 0)
        let text = String(decoding: try workspace.read("r.md"), as: UTF8.self)
        #expect(text.contains("Recipe `\(recipe)`") && text.contains("r.curve.svg"))
        #expect(String(decoding: try workspace.read("r.curve.svg"), as: UTF8.self).hasPrefix("<svg"))
        let inspected = try Program.succeed(["inspect", workspace.path("whole"), "--json"]).object()
        #expect(inspected["bytes"] != nil)
        let configuration = String(decoding: try workspace.read("whole/config.json"), as: UTF8.self)
        #expect(configuration.contains("\"recipe\" : \"\(recipe)\""))
    }

    /// Rates that ruin the model leave the start in place.
    @Test func neverWorseThanItBegan() throws {
        let workspace = try Workspace()
        let outcome = try Program.succeed(
            Self.head + Self.options + ["--preset", "tcq3", "--recipe", "scales", "--rate", "30"]
                + ["--vector-rate", "30", "--schedule", "constant", "--output", workspace.path("ruined")])
        #expect(outcome.text.contains("no parameters were better than the start"))
        let log = try log(workspace, "ruined")
        #expect(log["bestStep"] as? Int == 0)
        try Program.succeed(
            ["quantize", Fixture.model.path, "--preset", "tcq3", "--fit", "greedy", "--no-store"]
                + ["--output", workspace.path("plain")])
        #expect(try tensors(workspace, "ruined") == tensors(workspace, "plain"))
    }

    /// Rates beyond all numbers end the run with a line that says where; what was best is written.
    @Test func notFinite() throws {
        let workspace = try Workspace()
        let outcome = try Program.bitplan(
            Self.head + Self.options + ["--preset", "bcq2", "--recipe", "scales", "--rate", "1e30"]
                + ["--vector-rate", "1e30", "--checkpoint-every", "0", "--output", workspace.path("stopped")])
        #expect(outcome.status == 1)
        let line = try #require(outcome.errorLines.last)
        #expect(
            line.contains("not finite at step") && line.contains("rates 1e+30") && line.contains("step 0"))
        #expect(try Program.succeed(["inspect", workspace.path("stopped")]).status == 0)
        #expect(try !workspace.contents().contains { $0.contains("checkpoint") })
    }

    /// The model's own beam search beside its answers, from sources alone: what is learned gets better, and
    /// the log says of what it is made.
    @Test func ownTranslationsHaveAShare() throws {
        let workspace = try Workspace()
        let outcome = try Program.succeed(
            ["tune", Fixture.model.path, "--no-store", "--data", Fixture.planning[0]] + Self.options
                + [
                    "--preset", "tcq2", "--recipe", "weights", "--label-share", "0.4", "--beams", "2",
                    "--epsilon", "1",
                ]
                + ["--max-length", "20", "--output", workspace.path("shared")])
        #expect(outcome.text.contains("cross-entropy"))
        let log = try log(workspace, "shared")
        #expect((log["settings"] as? [String: String])?["labelShare"] == "0.4")
        #expect((log["settings"] as? [String: String])?["epsilon"] == "1.0")
        let points = try #require(log["points"] as? [[String: Any]])
        func learned(_ point: [String: Any]) throws -> Double {
            let kl = try #require(point["heldOut"] as? Double)
            return try 0.6 * kl + 0.4 * #require(point["heldOutCrossEntropy"] as? Double)
        }
        let best = try #require(points.first { $0["step"] as? Int == log["bestStep"] as? Int })
        #expect(try learned(best) < 0.95 * learned(points[0]))
        #expect(try points.allSatisfy { try learned($0) >= learned(best) })
    }

    @Test func autoTrainsWhatItHasPlanned() throws {
        let workspace = try Workspace()
        let outcome = try Program.succeed(
            [
                "auto", Fixture.model.path, "--no-store", "--limit", "12", "--schemes", "bcq1,bcq2", "--fit",
                "greedy",
            ]
                + ["--size", "13x", "--effort", "4", "--tune-steps", "3", "--name", "t", "--no-groups"]
                + ["--reports", workspace.path("r"), "--plans", workspace.path("p")]
                + ["--output", workspace.path("packed"), "--data"] + Fixture.planning)
        #expect(outcome.text.contains("plan, trained"))
        #expect(
            try workspace.contents().isSuperset(of: [
                "packed-tuned.training.json", "packed-tuned/config.json",
            ]))
        #expect(String(decoding: try workspace.read("r/t.md"), as: UTF8.self).contains("plan, trained"))
    }

    /// Steps that fit into so many minutes: the same as asking for those steps.
    @Test func minutesAreSteps() throws {
        let workspace = try Workspace()
        let common =
            Self.head + ["--limit", "60", "--preset", "bcq2", "--fit", "greedy"]
            + ["--batch-size", "12", "--recipe", "scales"]
        try Program.succeed(common + ["--minutes", "0.05", "--output", workspace.path("minutes")])
        let steps = try #require(try log(workspace, "minutes")["steps"] as? Int)
        try Program.succeed(common + ["--steps", "\(steps)", "--output", workspace.path("steps")])
        #expect(try tensors(workspace, "minutes") == tensors(workspace, "steps"), "\(steps) steps")
    }

    @Test func badInputIsOneLine() throws {
        let workspace = try Workspace()
        let output = ["--output", workspace.path("none")]
        let plain = Self.options + ["--preset", "tcq2"] + output
        try expectRefusal(
            Self.head + plain + ["--held-out"] + Fixture.planning, in: workspace,
            saying: ["is data and held-out data"])
        let short = ["--limit", "60", "--preset", "tcq2"] + output
        try expectRefusal(Self.head + short, in: workspace, saying: ["--minutes", "--steps"])
        for bad in [
            ["--minutes", "0"], ["--minutes", "-1"], ["--steps", "0"], ["--minutes", "nan"],
            ["--minutes", "inf"],
        ] {
            try expectRefusal(Self.head + short + bad, in: workspace, saying: [String(bad[0].dropFirst(2))])
        }
        try expectRefusal(
            ["tune", Fixture.model.path, "--no-store", "--data", Fixture.planning[0]] + plain
                + ["--recipe", "chung"], in: workspace, saying: ["references"])
        for (more, words) in [
            (["--noise-rate", "0.2"], ["--noise-rate", "quant-noise"]),
            (["--without", "pt"], ["--without", "sensimix"]),
            (["--epsilon=-1"], ["--epsilon", "0 or more"]),
            (["--label-share", "1.5"], ["--label-share", "0 to 1"]),
            (["--objective", "labels", "--label-share", "0.3"], ["--label-share", "'kl'"]),
            (["--recipe", "ipq"], ["ipq", "product codes"]),
            (["--recipe", "sensimix"], ["sensimix", "signs"]),
            (["--recipe", "bitnet"], ["bitnet", "BitLinear"]),
            (["--recipe", "quant-noise", "--noise-rate", "0"], ["--noise-rate", "more than 0"]),
            (["--recipe", "quant-noise", "--noise-rate", "1.5"], ["--noise-rate", "at most 1"]),
            (["--recipe", "quant-noise", "--noise-block", "7"], ["--noise-block", "divisor", "columns"]),
        ] {
            try expectRefusal(Self.head + plain + more, in: workspace, saying: words)
        }
        try expectRefusal(
            ["tune", TestFiles.root.appending(path: "Fixtures/sst2-bert").path, "--no-store", "--data"]
                + [TestFiles.root.appending(path: "Fixtures/data/sst2.plan.tsv").path] + plain
                + ["--recipe", "chung"], in: workspace, saying: ["chung", "encoder and a decoder"])
        let texts = try workspace.write(
            (1...20).map { "text \($0)\n" }.joined(), to: "texts.txt"
        ).path
        try expectRefusal(
            [
                "tune", TestFiles.root.appending(path: "Fixtures/sst2-bert").path, "--no-store", "--data",
                texts,
            ]
                + plain + ["--label-share", "0.3"], in: workspace, saying: ["--label-share", "texts alone"])
        try expectRefusal(
            Self.head + ["--limit", "60", "--steps", "3"] + output, in: workspace, saying: ["--preset"])
        let empty = try workspace.write("", to: "empty.txt").path
        try expectRefusal(
            ["tune", Fixture.model.path, "--no-store", "--data", empty, empty] + plain, in: workspace,
            saying: ["empty.txt"])
        let other = try workspace.write(
            #"{"model": {"type": "marian", "sha256": "\#(String(repeating: "0", count: 64))"}, "sublayers": {"*": "tcq2"}}"#,
            to: "other.plan.json"
        ).path
        try expectRefusal(
            Self.head + ["--limit", "60", "--steps", "3", "--plan", other] + output, in: workspace,
            saying: ["other"])
        try workspace.write("no checkpoint", to: "none.checkpoint.safetensors")
        try expectRefusal(
            Self.head + plain + ["--resume"], in: workspace, saying: ["none.checkpoint.safetensors"])
    }
}
