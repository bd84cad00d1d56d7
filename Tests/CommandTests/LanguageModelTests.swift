import Foundation
import TestSupport
import Testing

/// All stages for the third family, a language model; and what only its command line has.
@Suite struct LanguageModelTests {
    private static let model = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-llama").path
    private static let text = (0..<40).map { "line \($0) of a text: \($0 * $0) is the square of \($0)." }

    private func corpus(_ workspace: Workspace) throws -> String {
        try workspace.write(Self.text.joined(separator: "\n"), to: "text.txt").path
    }

    @Test func everyStage() throws {
        let workspace = try Workspace()
        let data = try corpus(workspace), store = workspace.path("store.sqlite")
        let table = workspace.path("table.json"), plan = workspace.path("plan.json")
        let sweep = [
            "sweep", Self.model, "--data", data, "--context", "24", "--stride", "12", "--schemes", "bcq1..4",
            "--store", store,
        ]
        try Program.succeed(sweep + ["--output", table])
        let again = workspace.path("again.json")
        let kept = try Program.succeed(sweep + ["--output", again])
        #expect(kept.error.contains(" 0 were made"), "\(kept.error)")
        #expect(try workspace.read("again.json") == workspace.read("table.json"))
        try Program.succeed(
            ["plan", table, "--size", "9x", "--model", Self.model, "--data", data, "--context", "24"]
                + ["--stride", "12", "--store", store, "--effort", "120", "--output", plan])
        let written = try #require(
            try JSONSerialization.jsonObject(with: workspace.read("plan.json")) as? [String: Any])
        let measured = try #require(written["measured"] as? [[String: Any]])
        let chosen = try #require(measured.first { $0["name"] as? String == written["name"] as? String })
        let kl = try #require(chosen["klNats"] as? Double)
        for other in measured where (other["name"] as? String)?.hasPrefix("uniform") == true {
            #expect(kl <= (other["klNats"] as? Double ?? 0), "\(other)")
        }
        if let against = chosen["against"] as? [String: Any] {
            let difference = try #require(against["metric"] as? [String: Any])
            let interval = try #require(difference["interval"] as? [Double])
            #expect(interval[0] <= 0, "less perplexity is better: worse beyond noise")
        }
        try Program.succeed(
            ["quantize", Self.model, "--plan", plan, "--data", data, "--context", "24", "--stride", "12"]
                + ["--output", workspace.path("packed")])
        let evaluation = try Program.succeed(
            ["evaluate", workspace.path("packed"), "--data", data, "--reference", Self.model, "--timed", "0"]
                + ["--context", "24", "--stride", "12", "--json"]
        ).object()
        #expect(abs((evaluation["kl"] as? Double ?? 0) - kl) <= 0.02 * kl, "packed as it was planned")
        try Program.succeed(
            ["report", table, "--plan", plan, "--output", workspace.path("report.md")])
        #expect(try String(decoding: workspace.read("report.md"), as: UTF8.self).contains("Attention"))
        let answers = try Program.succeed(
            ["run", workspace.path("packed"), "--max-length", "8"], input: "a line\nanother\n")
        #expect(answers.text.split(separator: "\n", omittingEmptySubsequences: false).count == 3)
    }

    /// What is drawn from packed weights depends on the seed alone.
    @Test func packedGenerationRepeats() throws {
        let workspace = try Workspace()
        try Program.succeed(
            ["quantize", Self.model, "--preset", "bcq3", "--fit", "greedy", "--output", workspace.path("q")])
        func run(
            _ model: String = "q", seed: Int = 7, threads: Int = 1, batch: Int = 3, temperature: Double = 0.8
        )
            throws -> String
        {
            try Program.succeed(
                [
                    "run", workspace.path(model), "--temperature", "\(temperature)", "--max-length", "12",
                    "--seed", "\(seed)", "--threads", "\(threads)", "--batch", "\(batch)",
                ], input: Self.text.prefix(9).joined(separator: "\n") + "\n"
            ).text
        }
        let drawn = try run()
        for (threads, batch) in [(2, 3), (1, 1), (2, 1), (1, 9), (2, 4)] {
            #expect(
                try run(threads: threads, batch: batch) == drawn, "\(threads) threads, batches of \(batch)")
        }
        #expect(try run(seed: 8) != drawn)
        #expect(try run(temperature: 0) == run(threads: 2, batch: 1, temperature: 0))
    }

    @Test func strideAlone() throws {
        let workspace = try Workspace()
        let outcome = try Program.succeed(
            [
                "evaluate", Self.model, "--data", try corpus(workspace), "--stride", "5", "--timed", "0",
                "--json",
            ])
        #expect(try outcome.object()["signature"] as? String == "perplexity|context:48|stride:5")
    }

    /// Settings that would change the text are refused where text is made, and only there.
    @Test func unsupportedGeneration() throws {
        let workspace = try Workspace()
        let model = workspace.file("model")
        try FileManager.default.copyItem(at: URL(filePath: Self.model), to: model)
        try workspace.write(#"{"repetition_penalty": 1.8}"#, to: "model/generation_config.json")
        let refusal = try Program.bitplan(["run", model.path], input: "a\n")
        #expect(refusal.status == 1)
        #expect(
            refusal.errorLines.count == 1
                && refusal.error.contains("'repetition_penalty': 1.8 is not supported: expected 1"),
            "\(refusal.error)")
        try Program.succeed(["evaluate", model.path, "--data", try corpus(workspace), "--timed", "0"])
    }
}
