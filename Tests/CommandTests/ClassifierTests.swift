import Foundation
import TestSupport
import Testing

/// All stages for the second family: a BERT classifier.
@Suite struct ClassifierTests {
    private static let model = TestFiles.root.appending(path: "Fixtures/sst2-bert").path
    private static let planning = TestFiles.root.appending(path: "Fixtures/data/sst2.plan.tsv").path
    private static let checking = TestFiles.root.appending(path: "Fixtures/data/sst2.check.tsv").path

    @Test func everyStage() throws {
        let workspace = try Workspace()
        let outcome = try Program.succeed(
            ["auto", Self.model, "--size", "12x", "--schemes", "bcq1,bcq2,bcq3", "--no-store", "--json"]
                + [
                    "--effort", "100", "--limit", "60", "--name", "sst2", "--reports",
                    workspace.path("reports"),
                ]
                + ["--plans", workspace.path("plans"), "--output", workspace.path("packed")]
                + ["--data", Self.planning, "--check", Self.checking])
        let rows = try #require(try JSONSerialization.jsonObject(with: outcome.output) as? [[String: Any]])
        let evaluations = rows.compactMap { $0["evaluation"] as? [String: Any] }
        let full = try #require(evaluations.first), plan = try #require(evaluations.last)
        let bytes = try #require(plan["bytes"] as? Int), fullBytes = try #require(full["bytes"] as? Int)
        #expect(bytes * 12 <= fullBytes)
        let accuracy = try #require(full["accuracy"] as? Double)
        #expect(accuracy > 0.75, "a trained classifier, \(accuracy)")

        // On the planning data the written plan loses to no uniform plan.
        let written = try #require(
            try JSONSerialization.jsonObject(with: workspace.read("plans/sst2.plan.json")) as? [String: Any])
        let measured = try #require(written["measured"] as? [[String: Any]])
        let name = try #require(written["name"] as? String)
        let chosen = try #require(measured.first { $0["name"] as? String == name })
        let kl = try #require(chosen["klNats"] as? Double), metric = try #require(chosen["metric"] as? Double)
        for other in measured where (other["name"] as? String)?.hasPrefix("uniform") == true {
            #expect(kl <= (other["klNats"] as? Double ?? 0), "\(other)")
            #expect(metric >= (other["metric"] as? Double ?? 1), "\(other)")
        }
        let answers = try Program.succeed(
            ["run", workspace.path("packed")], input: "a wonderful film .\nutterly dull and pointless .\n")
        #expect(answers.text.split(separator: "\n").count == 2)
    }
}
