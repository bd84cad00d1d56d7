import BitplanTensors
import Foundation
import TestSupport
import Testing

/// Sweeps through a store: killed at any moment, shared by processes, merged, and always the same table.
@Suite(.serialized) struct StoreTests {
    private static func sweep(_ table: String, _ more: [String]) -> [String] {
        ["sweep", Fixture.model.path, "--schemes", "bcq1,bcq3", "--fit", "greedy", "--limit", "6"]
            + ["--output", table] + more + ["--data"] + Fixture.planning
    }

    /// Two schemes of 21 sublayers and of the 7 groups that are more than one of them, and full precision.
    private static let cells = 2 * (21 + 7) + 2

    /// The table of a sweep that keeps nothing.
    private static let expected: Result<Data, any Error> = Result {
        let workspace = try Workspace()
        try Program.succeed(sweep(workspace.path("table"), ["--no-store"]))
        return try workspace.read("table")
    }

    /// How many measurements were found in the store and how many were made, as the program says.
    private func usage(_ outcome: Outcome) throws -> (kept: Int, made: Int) {
        let line = try #require(outcome.errorLines.first { $0.hasPrefix("store: ") }, "\(outcome.error)")
        let numbers = line.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return (try #require(numbers.first), try #require(numbers.last))
    }

    private func entry(_ store: String) throws -> [String: Any]? {
        let info = try Program.succeed(["store", "info", store, "--json"]).object()
        return try #require(info["experiments"] as? [[String: Any]]).first
    }

    /// Ten sweeps, each killed three times and then left alone.
    @Test func killedSweepsGiveTheSameTable() throws {
        let expected = try Self.expected.get()
        let seed = UInt64.random(in: 0..<1 << 32)
        var generator = SeededGenerator(seed: seed)
        var killed = 0
        var partly = 0
        let start = ContinuousClock.now
        try Program.succeed(Self.sweep(try Workspace().path("table"), ["--no-store"]))
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        for trial in 0..<10 {
            let workspace = try Workspace()
            let arguments = Self.sweep(workspace.path("table"), ["--store", workspace.path("store")])
            func finished() throws -> Int {
                guard FileManager.default.fileExists(atPath: workspace.path("store")) else { return 0 }
                return try entry(workspace.path("store"))?["cells"] as? Int ?? 0
            }
            // Twice at any moment, and once amid the cells, however fast the machine is just then.
            for _ in 0..<2 {
                killed += try Program.killed(arguments, after: seconds * generator.uniform() * 0.6) ? 1 : 0
            }
            let goal = try finished() + 1 + generator.index(below: 10)
            killed += try Program.killed(arguments) { (try? finished()) ?? 0 >= goal } ? 1 : 0
            let kept = try finished()
            let outcome = try Program.succeed(arguments)
            #expect(try workspace.read("table") == expected, "seed \(seed), trial \(trial)")
            let usage = try usage(outcome)
            #expect(
                usage.kept == kept,
                "seed \(seed), trial \(trial): nothing that was finished is measured again")
            #expect(usage.kept + usage.made == Self.cells)
            if kept > 0, kept < Self.cells { partly += 1 }
            let info = try #require(try entry(workspace.path("store")))
            #expect(info["cells"] as? Int == Self.cells && info["claims"] as? Int == 0)
        }
        #expect(
            killed > 5 && partly > 2, "seed \(seed): \(killed) of 30 killed, \(partly) of 10 resumed midway")
    }

    @Test func processesShareTheWork() throws {
        let workspace = try Workspace()
        let runs = try (0..<2).map {
            try Program.start(
                Self.sweep(
                    workspace.path("table\($0)"), ["--threads", "1", "--store", workspace.path("store")]))
        }
        let usages = try runs.map { try usage(try $0.wait()) }
        #expect(
            try workspace.read("table0") == Self.expected.get()
                && workspace.read("table1") == Self.expected.get())
        #expect(usages.allSatisfy { $0.kept + $0.made == Self.cells }, "\(usages)")
        #expect(usages.reduce(0) { $0 + $1.made } == Self.cells, "every cell is measured once: \(usages)")
    }

    /// Other settings are other measurements; the same ones are not made again, nor is the metric. Beside the
    /// 21 sublayers the vectors are measured as FP16 and FP32.
    @Test func everySettingCounts() throws {
        let workspace = try Workspace()
        func run(_ more: [String]) throws -> (kept: Int, made: Int) {
            try usage(
                try Program.succeed(
                    ["sweep", Fixture.model.path, "--schemes", "bcq2", "--no-groups", "--data"]
                        + Fixture.planning
                        + ["--store", workspace.path("store"), "--output", workspace.path("table")] + more))
        }
        let base = ["--fit", "greedy", "--limit", "4"]
        #expect(try run(base) == (0, 23))
        let table = try workspace.read("table")
        #expect(try run(base) == (23, 0))
        #expect(try workspace.read("table") == table)
        #expect(try run(["--fit", "refined", "--limit", "4"]) == (0, 23))
        #expect(try run(["--fit", "greedy", "--limit", "5"]) == (0, 23))
        #expect(try run(base + ["--schemes", "bcq2,bcq3"]) == (23, 21))
        #expect(try run(base + ["--calibration"] + Fixture.checking) == (0, 23))
        // The metric of each cell is measured beside what is known of it, and kept.
        #expect(try run(base + ["--metric"]) == (23, 0))
        let withMetric = try workspace.read("table")
        #expect(try run(base + ["--metric"]) == (23, 0))
        #expect(try workspace.read("table") == withMetric)
        let metrics = try Program.succeed(["store", "info", workspace.path("store"), "--json"]).object()
        let counts = try #require(metrics["experiments"] as? [[String: Any]]).map { $0["metrics"] as? Int }
        #expect(counts == [23, 0, 0, 0])
    }

    /// Plans of other budgets start from what the plans before them measured; with a store or without, they
    /// are the same.
    @Test func plansReuseCells() throws {
        let workspace = try Workspace()
        func plan(_ size: String, _ store: [String]) throws -> (plan: Data, usage: (kept: Int, made: Int)?) {
            let outcome = try Program.succeed(
                ["plan", try Fixture.table.get().path, "--size", size, "--model", Fixture.model.path]
                    + ["--effort", "60", "--limit", "10", "--output", workspace.path("plan")] + store + [
                        "--data"
                    ]
                    + Fixture.planning)
            return (try workspace.read("plan"), store.count > 1 ? try usage(outcome) : nil)
        }
        let store = ["--store", workspace.path("store")]
        let first = try plan("10x", store)
        #expect((first.usage?.made ?? 0) > 20)
        let again = try plan("10x", store)
        #expect(again.plan == first.plan && again.usage?.made == 0)
        let other = try plan("10.2x", store)
        #expect((other.usage?.kept ?? 0) > 5, "\(String(describing: other.usage))")
        #expect(try plan("10.2x", ["--no-store"]).plan == other.plan)
    }

    @Test func storesAreMerged() throws {
        let workspace = try Workspace()
        func sweep(_ schemes: String, _ store: String) throws -> Outcome {
            try Program.succeed(
                ["sweep", Fixture.model.path, "--schemes", schemes, "--fit", "greedy", "--limit", "4"]
                    + ["--no-groups", "--output", workspace.path("table"), "--store", workspace.path(store)]
                    + ["--data"] + Fixture.planning)
        }
        _ = try sweep("bcq1,bcq2", "a")
        _ = try sweep("bcq2,bcq3", "b")
        try Program.succeed([
            "store", "merge", workspace.path("a"), workspace.path("b"), "--output", workspace.path("c"),
        ])
        #expect(try usage(try sweep("bcq3", "a")) == (2, 21), "a is as it was")
        #expect(try usage(try sweep("bcq1..3", "c")) == (65, 0))
        let merged = try Program.succeed([
            "store", "merge", workspace.path("b"), workspace.path("c"), "--json",
        ]).object()
        let results = try #require(merged["merged"] as? [[String: Any]])
        #expect(results.first?["cells"] as? Int == 21 && results.first?["different"] as? Int == 0)
        #expect(try Program.succeed(["store", "info", workspace.path("b")]).text.contains("65"))
    }

    /// The user's own store is used where none is named, and lies in the cache directory.
    @Test func ownStoreLiesInTheCache() throws {
        let workspace = try Workspace()
        let arguments = Self.sweep(workspace.path("table"), ["--no-groups"])
        let environment = ["XDG_CACHE_HOME": workspace.path("cache")]
        let first = try Program.bitplan(arguments, environment: environment)
        #expect(first.status == 0)
        #expect(try usage(first) == (0, 44))
        #expect(try usage(try Program.bitplan(arguments, environment: environment)) == (44, 0))
        #expect(FileManager.default.fileExists(atPath: workspace.path("cache/bitplan/measurements.sqlite")))
        let info = try Program.bitplan(["store", "info", "--json"], environment: environment).object()
        #expect(info["file"] as? String == workspace.path("cache/bitplan/measurements.sqlite"))
        // What cannot be used costs time, and a line, but no result.
        try workspace.write("no database", to: "broken/bitplan/measurements.sqlite")
        let table = try workspace.read("table")
        let broken = try Program.bitplan(arguments, environment: ["XDG_CACHE_HOME": workspace.path("broken")])
        #expect(broken.status == 0 && broken.error.contains("going on without a store"), "\(broken.error)")
        #expect(try workspace.read("table") == table)
    }

    @Test func badStoresAreRefused() throws {
        let workspace = try Workspace()
        try workspace.write(String(repeating: "text\n", count: 200), to: "text")
        let sweep = Self.sweep(workspace.path("table"), ["--store", workspace.path("text")])
        try expectRefusal(sweep, in: workspace, saying: [workspace.path("text"), "is no measurement store"])
        try expectRefusal(
            ["store", "info", workspace.path("text")], in: workspace, saying: ["is no measurement store"])
        try expectRefusal(
            ["store", "info", workspace.path("none")], in: workspace, saying: ["none: no such file"])
        try expectRefusal(
            ["store", "merge", workspace.path("none"), workspace.path("text")], in: workspace,
            saying: [workspace.path("text")])
        try expectRefusal(
            Self.sweep(workspace.path("table"), ["--store", "x", "--no-store"]), in: workspace,
            saying: ["--store and --no-store exclude each other"])
    }
}
