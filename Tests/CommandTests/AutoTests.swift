import BitplanKernels
import Foundation
import TestSupport
import Testing

/// All stages by one command.
@Suite struct AutoTests {
    private func run(_ workspace: Workspace, threads: Int) throws -> Outcome {
        try Program.succeed(
            ["auto", Fixture.model.path, "--size", "11x", "--schemes", "bcq2,bcq3", "--fit", "greedy"]
                + ["--effort", "50", "--limit", "10", "--check-limit", "10"]
                + ["--threads", "\(threads)", "--name", "small", "--reports", workspace.path("reports")]
                + ["--plans", workspace.path("plans"), "--output", workspace.path("packed"), "--json"]
                + ["--data"] + Fixture.planning + ["--check"] + Fixture.checking)
    }

    @Test func everyStageAndTheSameFilesAgain() throws {
        let first = try Workspace()
        let outcome = try run(first, threads: 2)
        let rows = try #require(try JSONSerialization.jsonObject(with: outcome.output) as? [[String: Any]])
        let names = rows.compactMap { $0["name"] as? String }
        #expect(names.first == "full precision" && names.contains("uniform bcq2"))
        #expect(names.last?.hasPrefix("plan (") == true)
        for row in rows {
            let evaluation = try #require(row["evaluation"] as? [String: Any])
            #expect(evaluation["sentences"] as? Int == 10 && evaluation["bleu"] is NSNumber)
        }
        let second = try Workspace()
        _ = try run(second, threads: 1)
        for file in [
            "reports/small.md", "reports/small.html", "reports/small.sensitivity.json",
            "reports/small.comparison.json",
            "reports/small.sensitivity.svg", "reports/small.frontier.svg", "reports/small.bits.svg",
            "plans/small.plan.json",
            "packed/model.safetensors", "packed/config.json",
        ] { #expect(try first.read(file) == second.read(file), "\(file)") }
        let timings = try String(decoding: first.read("reports/small.timings.md"), as: UTF8.self)
        #expect(timings.contains("tokens/s"))
        let report = try String(decoding: first.read("reports/small.md"), as: UTF8.self)
        #expect(!report.contains("tokens/s"), "what depends on the machine stays out of the report")
        // The report is what `report` renders from the files that lie there.
        try Program.succeed(
            [
                "report", first.path("reports/small.sensitivity.json"), "--plan",
                first.path("plans/small.plan.json"),
            ]
                + ["--comparison", first.path("reports/small.comparison.json")]
                + ["--output", second.path("again/small.md"), "--html", second.path("again/small.html")])
        for file in [
            "small.md", "small.html", "small.sensitivity.svg", "small.frontier.svg", "small.bits.svg",
        ] {
            #expect(try first.read("reports/" + file) == second.read("again/" + file), "\(file)")
        }
        let plan =
            try JSONSerialization.jsonObject(with: first.read("plans/small.plan.json")) as? [String: Any]
        #expect(plan?["overBudget"] is [Any], "uniform bcq3 and Chung's preset are larger than the budget")
        // Two candidates: every sublayer has one step, up or down, and so have the vectors.
        let steps = try #require(plan?["steps"] as? [[String: Any]])
        #expect(Set(steps.compactMap { $0["sublayer"] as? String }).count == 22 && steps.count == 22)
        for step in steps where step["sublayer"] as? String != "Vectors" {
            #expect(try #require(step["standardError"] as? Double) > 0)
            #expect(step["bytesChange"] as? Int != 0)
        }
        let answers = try Program.succeed(["run", first.path("packed")], input: "Tom is a doctor.\n")
        #expect(answers.text.split(separator: "\n").count == 1)
    }

    /// `make demo` leaves what is checked in, byte for byte. Other kernels round otherwise.
    @Test(.enabled(if: [.avx512, .amx].contains(InstructionSet.best), "made by the AVX-512 kernels"))
    func demoIsWhatIsCheckedIn() throws {
        let makefile = try String(contentsOf: TestFiles.root.appending(path: "Makefile"), encoding: .utf8)
        let recipe = makefile.split(separator: "\n", omittingEmptySubsequences: false)
            .drop { !$0.hasPrefix("demo:") }.dropFirst().prefix { $0.hasPrefix("\t") }
        let workspace = try Workspace()
        let arguments = recipe.flatMap { $0.split(whereSeparator: { $0.isWhitespace || $0 == "\\" }) }
            .dropFirst()
            .map { word in
                if word.hasPrefix("Fixtures/") { return TestFiles.root.appending(path: String(word)).path }
                return ["Reports", "Plans"].contains(word) || word.hasPrefix("$(DEMO)")
                    ? workspace.path(String(word.filter(\.isLetter))) : String(word)
            }
        try #require(arguments.first == "auto" && arguments.contains("--size"), "\(arguments)")
        try Program.succeed(Array(arguments))
        let kept = ["Reports", "Plans"].flatMap { directory in
            (try? FileManager.default.contentsOfDirectory(
                atPath: TestFiles.root.appending(path: directory).path))?
                .filter { $0.hasPrefix("demo.") && $0 != "demo.timings.md" }.map { "\(directory)/\($0)" }
                ?? []
        }
        #expect(kept.count >= 7, "\(kept)")
        for file in kept {
            #expect(
                try workspace.read(file) == Data(contentsOf: TestFiles.root.appending(path: file)),
                "\(file): run make demo")
        }
    }

    @Test func badCheckingDataAreFoundBeforeTheSweep() throws {
        let workspace = try Workspace()
        let outcome = try Program.bitplan(
            ["auto", Fixture.model.path, "--size", "11x", "--reports", workspace.path("r"), "--limit", "10"]
                + ["--plans", workspace.path("p"), "--output", workspace.path("packed"), "--data"]
                + Fixture.planning + ["--check", workspace.path("none.en"), workspace.path("none.de")])
        #expect(outcome.status != 0 && outcome.errorLines.count == 1, "\(outcome.error)")
        #expect(outcome.error.contains("none.en: no such file"))
        #expect(try workspace.contents() == [])
    }

    @Test func sizeThatCannotBeMetIsFoundBeforeTheSweep() throws {
        let workspace = try Workspace()
        let outcome = try Program.bitplan(
            [
                "auto", Fixture.model.path, "--size", "100kB", "--reports", workspace.path("r"), "--limit",
                "10",
            ]
                + ["--plans", workspace.path("p"), "--output", workspace.path("packed"), "--data"]
                + Fixture.planning)
        #expect(outcome.status != 0 && outcome.errorLines.count == 1, "\(outcome.error)")
        #expect(outcome.error.contains("smallest achievable is 357266"), "bcq1 everywhere: \(outcome.error)")
        #expect(try workspace.contents() == [])
    }
}
