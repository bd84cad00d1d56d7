import Foundation
import TestSupport
import Testing

/// `Scripts/compare_rules.py` on the fixture, with the rules that need no PyTorch.
@Suite(.enabled(if: Program.python != nil, "needs BITPLAN_PYTHON, which `make test` sets"))
struct RulesTests {
    private let workspace: Workspace
    private static let rules = ["ours", "uniform", "Chung", "SensiMix", "output error", "Fisher"]
    private static let budget = 500_000

    /// Lays the fixture where the script looks for the model.
    init() throws {
        workspace = try Workspace()
        _ = try ModelCopy(in: workspace)
        let manager = FileManager.default
        try manager.createDirectory(
            at: workspace.file("shared/models"), withIntermediateDirectories: true)
        try manager.moveItem(
            at: workspace.file("model"), to: workspace.file("shared/models/tatoeba-en-de"))
        let data = workspace.file("shared/models/tatoeba-en-de/data")
        try manager.createDirectory(at: data, withIntermediateDirectories: true)
        for (name, path) in zip(
            ["val.en", "val.de", "test.en", "test.de"], Fixture.planning + Fixture.checking)
        {
            try manager.createSymbolicLink(atPath: data.appending(path: name).path, withDestinationPath: path)
        }
    }

    private func run(_ arguments: [String], output: String = "rules.md") throws -> Outcome {
        let script = TestFiles.root.appending(path: "Scripts/compare_rules.py").path
        return try Program.run(
            URL(filePath: try #require(Program.python)),
            [script, "--work", workspace.path("work"), "--shared", workspace.path("shared")]
                + ["--output", workspace.path(output), "--models", "tatoeba-en-de", "--calibration", "own"]
                + ["--schemes", "bcq1:fp16,bcq2:fp16", "--limit", "5", "--check-limit", "20"]
                + ["--effort", "1"] + arguments,
            environment: ["BITPLAN": try Program.executable().path])
    }

    @Test func everyRulePlansWithinTheBudget() throws {
        let arguments = ["--budgets", "\(Self.budget)", "--rules", Self.rules.joined(separator: ",")]
        let outcome = try run(arguments)
        try #require(outcome.status == 0, "\(outcome.error)")
        let report = try String(decoding: workspace.read("rules.md"), as: UTF8.self)
        // Rule, bytes, KL of each line of the model's table.
        let lines = report.split(separator: "\n").filter { $0.contains(" | ") }.map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        var kl: [String: Double] = [:]
        for line in lines {
            guard line.count > 2, Self.rules.contains(line[0]), let value = Double(line[2]),
                let bytes = Int(line[1].replacingOccurrences(of: ",", with: ""))
            else { continue }
            #expect(bytes <= Self.budget, "\(line)")
            kl[line[0]] = value
        }
        #expect(Set(kl.keys) == Set(Self.rules), "\(report)")
        let ours = try #require(kl["ours"])
        let uniform = try #require(kl["uniform"])
        #expect(ours < uniform && report.contains("worse"), "\(report)")

        // Again, from what was kept, elsewhere: the same report.
        let again = try run(["--threads", "1"] + arguments, output: "again.md")
        #expect(again.status == 0 && !again.error.contains("+ "), "\(again.error)")
        #expect(try workspace.read("again.md") == workspace.read("rules.md"))
        try expectOptimum()
    }

    /// The least sum of losses of Fisher's table among the plans is what bitplan's own solver finds.
    private func expectOptimum() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: workspace.path("work")).sorted()
        let objects = try files.filter { $0.hasPrefix("sweep-") || $0.hasPrefix("rule-") }.map {
            try #require(
                try JSONSerialization.jsonObject(with: workspace.read("work/\($0)")) as? [String: Any])
        }
        var table = try #require(objects.first { $0["proxy"] as? String == "fisher" })
        table["proxy"] = nil
        try workspace.write(try JSONSerialization.data(withJSONObject: table), to: "table.json")
        let plan = try Program.succeed(
            ["plan", workspace.path("table.json"), "--size", "\(Self.budget)B", "--json"]
        ).object()
        let predicted = try #require((plan["predicted"] as? [String: Any])?["klNats"] as? Double)
        var losses: [String: Double] = [:]
        for cell in try #require(table["bySublayer"] as? [[String: Any]]) {
            guard let row = cell["row"] as? String, let scheme = cell["scheme"] as? String,
                let measurement = cell["measurement"] as? [String: Any]
            else { continue }
            losses["\(row) \(scheme)"] = measurement["klNats"] as? Double
        }
        let sums = objects.compactMap { $0["sublayers"] as? [String: String] }.map { assignment in
            assignment.reduce(0.0) { $0 + (losses["\($1.key) \($1.value)"] ?? .infinity) }
        }
        let least = try #require(sums.min())
        #expect(abs(least - predicted) < 1e-9 * predicted, "\(least) \(predicted)")
    }

    @Test(arguments: [
        (["--budgets", "12"], "bytes of at most 12 cannot be met"),
        (["--budgets", "500000,0"], "expected a positive integer, got '0'"),
        (["--rules", "magic"], "expected some of ours,uniform"),
        (["--models", "gpt"], "expected some of tatoeba-en-de"),
    ])
    func badInputIsOneLine(arguments: [String], message: String) throws {
        let outcome = try run(arguments)
        #expect(outcome.status != 0)
        #expect(outcome.errorLines.last?.contains(message) == true, "\(outcome.error)")
        #expect(!outcome.error.contains("Traceback"), "\(outcome.error)")
    }
}
