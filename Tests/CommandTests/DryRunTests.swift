import Foundation
import TestSupport
import Testing

/// What a long job will take is said before it starts, and nothing is done.
@Suite struct DryRunTests {
    @Test func sweepCountsItsCells() throws {
        let workspace = try Workspace()
        let store = ["--store", workspace.path("store")]
        let sweep = Fixture.sweep() + store + ["--output", workspace.path("table")]
        let estimate = try Program.succeed(sweep + ["--dry-run", "--json"]).object()
        #expect(estimate["cells"] as? Int == 2 * (21 + 7) + 2 && estimate["keptCells"] as? Int == 0)
        #expect(estimate["items"] as? Int == 10)
        // 8 attentions and 4 cross-attentions of 4 matrices, 8 feed-forwards of 2, the embedding.
        let matrices = try Program.succeed(sweep + ["--unit", "matrix", "--dry-run", "--json"]).object()
        #expect(matrices["cells"] as? Int == 2 * (12 * 4 + 8 * 2 + 1 + 7) + 2)
        let seconds = try #require(estimate["seconds"] as? Double)
        #expect(seconds > 0 && seconds < 1000)
        // The program has more than its weights, and less than a hundred times as much.
        let memory = try #require(estimate["peakMemoryBytes"] as? Int)
        #expect(memory > Fixture.fullPrecisionBytes && memory < 100 * Fixture.fullPrecisionBytes)
        let parts = try #require(estimate["cpuSeconds"] as? [String: Double])
        #expect(Set(parts.keys) == ["reference", "calibration", "encoding", "measuring", "metric"])
        #expect(!FileManager.default.fileExists(atPath: workspace.path("table")))

        try Program.succeed(sweep)
        let rest = try Program.succeed(sweep + ["--dry-run", "--json"]).object()
        #expect(rest["keptCells"] as? Int == 2 * (21 + 7) + 2)
        let measuring = { (estimate: [String: Any]) in
            (estimate["cpuSeconds"] as? [String: Double])?["measuring"]
        }
        #expect(measuring(rest) == 0 && measuring(estimate) ?? 0 > 0)
        #expect(try Program.succeed(Fixture.sweep() + ["--dry-run"]).text.contains("peak memory: about"))
    }

    /// What parts of a sweep take, and what a store of one of them really has.
    @Test func sweepInParts() throws {
        let workspace = try Workspace()
        let sweep = Array(Fixture.sweep().dropFirst())
        func estimate(_ more: [String]) throws -> [String: Any] {
            try Program.succeed(["cost"] + sweep + ["--sweep", "--json"] + more).object()
        }
        func parts(_ estimate: [String: Any]) throws -> [[String: Any]] {
            try #require(estimate["parts"] as? [[String: Any]])
        }
        func measuring(_ parts: [[String: Any]]) -> Double {
            parts.reduce(0) { $0 + (($1["cpuSeconds"] as? [String: Double])?["measuring"] ?? 0) }
        }
        let one = try parts(estimate([]))
        let all = 2 * (21 + 7) + 2
        #expect(one.map { $0["cells"] as? Int } == [all] && one[0]["shard"] as? String == "1/1")
        let estimated = try estimate(["--machines", "4"])
        let four = try parts(estimated)
        #expect(four.count == 4 && four.reduce(0) { $0 + ($1["cells"] as? Int ?? 0) } == all)
        #expect(four.allSatisfy { measuring([$0]) < 0.6 * measuring(four) }, "shared out")
        // What the model's files and the data have, links followed.
        let names = try FileManager.default.contentsOfDirectory(atPath: Fixture.model.path)
        let files = names.map { Fixture.model.appending(path: $0).path } + Fixture.planning
        let bytes = try files.reduce(0) { try $0 + Data(contentsOf: URL(filePath: $1)).count }
        #expect(estimated["bytesReceived"] as? Int == bytes)
        try Program.succeed(Fixture.sweep() + ["--shard", "2/4", "--store", workspace.path("store")])
        try Program.succeed(
            ["store", "merge", workspace.path("store"), workspace.path("store")]
                + ["--output", workspace.path("copy")])
        let sent = Double(try workspace.read("copy").count)
        let expected = Double(try #require(four[1]["bytesSent"] as? Int))
        #expect((0.7...1.4).contains(expected / sent), "\(expected) of \(sent) bytes")
        let text = try Program.succeed(["cost"] + sweep + ["--sweep", "--machines", "2"]).text
        #expect(text.contains("| 2/2") && text.contains("2 machines at 1.00 times"))
    }

    @Test func whatSweepInPartsDoesNotTakeIsRefused() throws {
        let workspace = try Workspace()
        let cost = ["cost", Fixture.model.path]
        let sweep = cost + ["--sweep", "--data", "x"]
        for (arguments, part) in [
            (cost + ["--machines", "2"], "--machines needs --sweep"),
            (cost + ["--schemes", "int4"], "--schemes needs --sweep"),
            (cost + ["--sweep"], "--data is missing"),
            (sweep + ["--machines", "0"], "--machines: expected 1 to 65536, got 0"),
            (sweep + ["--plans", "bcq2"], "--plans does not go with --sweep"),
            (sweep + ["--signal", "weight"], "--signal does not go with --sweep"),
            (sweep + ["--precision", "0.1"], "--precision does not go with --sweep"),
            (sweep + ["--evaluator", "cat"], "--evaluator"),
        ] {
            try expectRefusal(arguments, in: workspace, saying: [part])
        }
    }

    @Test func proxiesAndPlansToo() throws {
        let workspace = try Workspace()
        let weight = try Program.succeed(Fixture.sweep() + ["--signal", "weight", "--dry-run", "--json"])
            .object()
        #expect(weight["cells"] as? Int == 0)
        let fisher = try Program.succeed(Fixture.sweep() + ["--signal", "fisher", "--dry-run", "--json"])
            .object()
        #expect(fisher["cells"] as? Int == 2 * 65, "two probes for each matrix")
        let plan = try Program.succeed(
            [
                "plan", try Fixture.table.get().path, "--size", "10x", "--model", Fixture.model.path,
                "--effort", "70",
            ]
                + ["--dry-run", "--json", "--limit", "10", "--output", workspace.path("plan"), "--data"]
                + Fixture.planning
        ).object()
        #expect(plan["cells"] as? Int == 70)
        let auto = try Program.succeed(
            [
                "auto", Fixture.model.path, "--size", "11x", "--dry-run", "--json", "--effort", "50",
                "--limit", "10",
            ]
                + ["--reports", workspace.path("r"), "--plans", workspace.path("p")]
                + ["--output", workspace.path("packed"), "--data"] + Fixture.planning
        ).object()
        #expect(auto["cells"] as? Int == 12 * 20 + 15 + 4 * 7 + 2 + 50)
        #expect(try workspace.contents() == [])
    }

    @Test("Training says the time of all its steps and measurements") func tuning() throws {
        let workspace = try Workspace()
        func estimate(_ steps: Int) throws -> [String: Any] {
            try Program.succeed(
                [
                    "tune", Fixture.model.path, "--no-store", "--preset", "bcq2", "--fit", "greedy",
                    "--dry-run",
                ]
                    + ["--steps", "\(steps)", "--limit", "30", "--output", workspace.path("tuned"), "--json"]
                    + ["--data"] + Fixture.planning
            ).object()
        }
        let parts = try #require(estimate(1000)["cpuSeconds"] as? [String: Double])
        #expect(parts.keys.sorted() == ["held-out items", "metric", "opening", "steps"])
        #expect(parts.values.allSatisfy { $0 > 0 })
        let seconds = try #require(estimate(1000)["seconds"] as? Double)
        #expect(abs(seconds - parts.values.reduce(0, +) / 2) < 0.5 * seconds, "two threads")
        #expect(try workspace.contents() == [])
    }
}
