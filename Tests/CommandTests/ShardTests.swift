import Foundation
import TestSupport
import Testing

/// Sweeps in parts, each with a store of its own, against a sweep at once.
@Suite struct ShardTests {
    private static func sweep(_ more: [String]) -> [String] {
        ["sweep", Fixture.model.path, "--schemes", "bcq2", "--fit", "greedy", "--limit", "4"] + more
            + ["--data"] + Fixture.planning
    }

    @Test(arguments: [1, 2, 4]) func partsMakeTheSameTable(_ count: Int) throws {
        let workspace = try Workspace()
        try Program.succeed(Self.sweep(["--no-store", "--output", workspace.path("whole")]))
        var cells: [Int] = []
        for part in 1...count {
            let arguments = Self.sweep([
                "--store", workspace.path("part\(part)"), "--shard", "\(part)/\(count)",
            ])
            // A part that is killed goes on where it was.
            if part == 2 { _ = try Program.killed(arguments, after: 0.3) }
            let object = try Program.succeed(arguments + ["--json"]).object()
            cells.append(try #require(object["cells"] as? Int))
        }
        let sum = cells.reduce(0, +)
        #expect(sum == 30, "every cell once: \(cells)")
        let parts = (1...count).map { workspace.path("part\($0)") }
        try Program.succeed(["store", "merge"] + parts + [parts[0], "--output", workspace.path("merged")])
        let outcome = try Program.succeed(
            Self.sweep(["--store", workspace.path("merged"), "--output", workspace.path("table")]))
        #expect(outcome.error.contains("30 measurements were kept, 0 were made"), "\(outcome.error)")
        #expect(try workspace.read("table") == workspace.read("whole"))
    }

    @Test func whatAPartCannotDoIsRefused() throws {
        let workspace = try Workspace()
        for (more, part) in [
            (["--shard", "5/4", "--store", "s"], "5/4"), (["--shard", "0/4", "--store", "s"], "0/4"),
            (["--shard", "1/2"], "--shard needs --store"),
            (["--shard", "1/2", "--store", "s", "--output", "t"], "--output does not go with --shard"),
            (["--shard", "1/2", "--store", "s", "--precision", "0.1"], "--precision does not go with"),
            (["--shard", "1/2", "--store", "s", "--naive"], "--naive does not go with --shard"),
        ] {
            try expectRefusal(Self.sweep(more), in: workspace, saying: [part])
        }
    }

    /// Planning in parts: rounds of parts that go on from the merged stores, until one has all that it needs.
    ///
    /// - Returns: the merged store, and how many rounds there were.
    static func parts(
        of plan: [String], _ count: Int, in workspace: Workspace, killing killed: Bool = false
    ) throws -> (store: String, rounds: Int) {
        var before: String?
        for round in 1...40 {
            let stores = (1...count).map { workspace.path("round\(count).\(round).\($0)") }
            var isComplete = false
            for (index, store) in stores.enumerated() {
                if let before { try FileManager.default.copyItem(atPath: before, toPath: store) }
                let arguments = plan + ["--shard", "\(index + 1)/\(count)", "--store", store, "--json"]
                if killed, round == 1 { _ = try Program.killed(arguments, after: 0.3) }
                let said = try Program.succeed(arguments).object()
                #expect(said["shard"] as? String == "\(index + 1)/\(count)")
                isComplete = isComplete || said["isComplete"] as? Bool == true
            }
            let merged = workspace.path("round\(count).\(round)")
            try Program.succeed(["store", "merge"] + stores + [stores[0], "--output", merged])
            if isComplete { return (merged, round) }
            before = merged
        }
        throw Unexpected(description: "40 rounds were not enough")
    }

    @Test func partsMakeTheSamePlan() throws {
        let workspace = try Workspace()
        let table = workspace.path("table")
        try Program.succeed(
            ["sweep", Fixture.model.path, "--schemes", "bcq2,bcq3", "--fit", "greedy", "--limit", "4"]
                + ["--no-groups", "--no-store", "--output", table, "--data"] + Fixture.planning)
        func plan(_ more: [String]) -> [String] {
            ["plan", table, "--size", "900kB", "--model", Fixture.model.path, "--limit", "4"]
                + ["--effort", "60"] + more + ["--data"] + Fixture.planning
        }
        try Program.succeed(plan(["--no-store", "--output", workspace.path("whole")]))
        let (store, rounds) = try Self.parts(of: plan([]), 2, in: workspace, killing: true)
        #expect(rounds > 2, "the starts, steps around the best, what they lead to")
        let outcome = try Program.succeed(plan(["--store", store, "--output", workspace.path("plan")]))
        #expect(outcome.error.contains(" 0 were made"), "\(outcome.error)")
        #expect(try workspace.read("plan") == workspace.read("whole"))
    }

    @Test func whatAPartOfPlanningCannotDoIsRefused() throws {
        let workspace = try Workspace()
        let model = ["--model", Fixture.model.path]
        for (more, part) in [
            (model + ["--shard", "3/2", "--store", "s"], "3/2"),
            (model + ["--shard", "1/2"], "--shard needs --store"),
            (["--shard", "1/2", "--store", "s"], "--shard needs --model or --evaluator"),
            (
                model + ["--shard", "1/2", "--store", "s", "--output", "p"],
                "--output does not go with --shard"
            ),
            (model + ["--shard", "1/2", "--store", "s", "--dry-run"], "--dry-run does not go with --shard"),
        ] {
            try expectRefusal(["plan", "table", "--size", "10x"] + more, in: workspace, saying: [part])
        }
    }

    private static let slurm = ["munged", "slurmctld", "slurmd", "sbatch"].allSatisfy { name in
        ["/usr/bin", "/usr/sbin"].contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
    }

    /// A job array on a Slurm of this one machine, with one part killed on its way.
    @Test(.enabled(if: slurm && getuid() == 0, "Slurm is not installed, or this is not root"))
    func jobArrayMakesTheSameTable() throws {
        let workspace = try Workspace()
        try Program.succeed(Self.sweep(["--no-store", "--output", workspace.path("whole")]))
        // The first try of part 2 is killed outright once it has begun.
        let bitplan = try Program.executable().path
        let wrapper = try workspace.write(
            """
            #!/bin/sh
            case "$*" in
            *" --shard 2/4 "*)
                if mkdir '\(workspace.path("killed"))' 2> /dev/null; then
                    '\(bitplan)' "$@" & sleep 0.3; kill -9 $!; kill -9 $PPID
                fi ;;
            esac
            exec '\(bitplan)' "$@"
            """, to: "bitplan")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: wrapper.path)
        let scripts = TestFiles.root.appending(path: "Scripts/slurm").path
        let outcome = try Program.run(
            URL(filePath: "/bin/sh"),
            ["\(scripts)/one_machine.sh", workspace.path("slurm"), "sh", "\(scripts)/parts.sh"]
                + [workspace.path("run"), "4", workspace.path("table")] + Self.sweep([]),
            environment: ["BITPLAN": wrapper.path])
        #expect(outcome.status == 0, "\(outcome.text) \(outcome.error)")
        #expect(outcome.text.contains("try 1: parts 1,2,3,4 of 4"))
        #expect(
            outcome.text.contains("try 2: parts 2 of 4"), "the killed part alone runs again: \(outcome.text)")
        #expect(outcome.error.contains("30 measurements were kept, 0 were made"))
        #expect(try workspace.read("table") == workspace.read("whole"))
    }
}
