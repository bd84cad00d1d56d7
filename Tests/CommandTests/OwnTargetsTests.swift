import Foundation
import TestSupport
import Testing

/// Data without references: KL is measured on what the full-precision model itself says.
@Suite struct OwnTargetsTests {
    private let making = "note: making the model's own outputs for 10 items"
    private let noMetric = "note: the data have no references"

    /// A sweep of the fixture's sources alone, or with more options.
    private func sweep(_ output: String, _ files: [String], _ more: [String] = ["--no-store"]) throws
        -> Outcome
    {
        try Program.succeed(
            ["sweep", Fixture.model.path, "--schemes", "bcq2,bcq3", "--fit", "greedy", "--limit", "10"]
                + ["--output", output] + more + ["--data"] + files)
    }

    private func table(_ workspace: Workspace, _ name: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: workspace.read(name)) as? [String: Any])
    }

    /// What the sublayers lose; the vectors of the fixture may be FP16 numbers already.
    private func losses(_ table: [String: Any]) throws -> [Double] {
        try #require(table["bySublayer"] as? [[String: Any]]).compactMap {
            $0["row"] as? String == "Vectors"
                ? nil : ($0["measurement"] as? [String: Any])?["klNats"] as? Double
        }
    }

    @Test func sourcesAloneArePlannedQuantizedAndEvaluated() throws {
        let workspace = try Workspace()
        let source = [Fixture.planning[0]]
        let first = try sweep(workspace.path("a.json"), source, ["--store", workspace.path("store")])
        #expect(first.error.contains(making) && first.error.contains(noMetric))
        #expect(first.text.contains("no metric was measured") && !first.text.contains("BLEU"))
        let again = try sweep(workspace.path("b.json"), source, ["--store", workspace.path("store")])
        #expect(!again.error.contains(making), "made once")
        let alone = try sweep(
            workspace.path("c.json"), source, ["--no-store", "--threads", "1", "--batch", "3"])
        #expect(alone.error.contains(making))
        for name in ["b.json", "c.json"] {
            #expect(try workspace.read(name) == workspace.read("a.json"), "the same bytes")
        }
        let made = try table(workspace, "a.json")
        let provenance = try #require(made["provenance"] as? [String: Any])
        #expect(provenance["targets"] as? String == "own" && provenance["metric"] == nil)
        #expect((made["fullPrecision"] as? [String: Any])?["metric"] == nil)
        #expect(try losses(made).allSatisfy { $0 > 0 })

        let planned = try Program.succeed(
            ["plan", workspace.path("a.json"), "--size", "11x", "--model", Fixture.model.path, "--no-store"]
                + ["--limit", "10", "--output", workspace.path("plan.json"), "--data"] + source)
        #expect(planned.error.contains(noMetric) && planned.text.contains("KL |"))
        let plan = try table(workspace, "plan.json")
        #expect((plan["provenance"] as? [String: Any])?["targets"] as? String == "own")
        let measured = try #require(plan["measured"] as? [[String: Any]])
        #expect(measured.count > 1 && measured.allSatisfy { $0["metric"] == nil })
        let name = try #require(plan["name"] as? String)
        let kl = try #require(measured.first { $0["name"] as? String == name }?["klNats"] as? Double)
        #expect(measured.allSatisfy { kl <= $0["klNats"] as? Double ?? 0 }, "planned by KL alone")

        // The same figure comes out of the packed model, from sources with and without references.
        try Program.succeed(
            ["quantize", Fixture.model.path, "--plan", workspace.path("plan.json"), "--no-store"]
                + ["--limit", "10", "--output", workspace.path("packed"), "--data"] + source)
        func evaluate(_ files: [String]) throws -> Outcome {
            try Program.succeed(
                ["evaluate", workspace.path("packed"), "--reference", Fixture.model.path, "--json"]
                    + ["--store", workspace.path("store"), "--limit", "10", "--data"] + files)
        }
        let (without, with) = (try evaluate(source), try evaluate(Fixture.planning))
        #expect(without.error.isEmpty && with.error.isEmpty, "the store has the model's own outputs")
        let (own, both) = (try without.object(), try with.object())
        #expect(
            own["bleu"] == nil && own["signature"] == nil && own["kl"] as? Double == own["klOwn"] as? Double)
        #expect(abs(try #require(own["kl"] as? Double) - kl) < 1e-4 * kl, "packed products round otherwise")
        #expect(both["bleu"] is NSNumber && both["klOwn"] as? Double == own["klOwn"] as? Double)
        #expect(both["kl"] as? Double != both["klOwn"] as? Double)
    }

    /// With references beside the sources the cells are the same, and the metric is measured.
    @Test func ownOutputsAlthoughReferencesAreThere() throws {
        let workspace = try Workspace()
        _ = try sweep(workspace.path("alone.json"), [Fixture.planning[0]])
        _ = try sweep(workspace.path("own.json"), Fixture.planning, ["--no-store", "--targets", "own"])
        _ = try sweep(workspace.path("references.json"), Fixture.planning)
        let own = try table(workspace, "own.json")
        #expect(try losses(own) == losses(table(workspace, "alone.json")))
        #expect(try losses(own) != losses(table(workspace, "references.json")))
        let provenance = try #require(own["provenance"] as? [String: Any])
        #expect(provenance["targets"] as? String == "own")
        #expect((provenance["metric"] as? String)?.hasPrefix("BLEU") == true)
        let other = try table(workspace, "references.json")["provenance"] as? [String: Any]
        #expect(other?["targets"] == nil && other?["dataSHA256"] is String)
        #expect(other?["dataSHA256"] as? String != provenance["dataSHA256"] as? String)
    }

    @Test func autoOnTextsAlone() throws {
        let texts = [
            "Fixtures/tatoeba-en-de": "The weather is fine.\n\nI am here.\nWhere is he?\n",
            "Tests/ModelsTests/Goldens/tiny-bert": "good film\nbad film\na b c\nthe film\n",
        ]
        for (model, text) in texts {
            let workspace = try Workspace()
            try workspace.write(text, to: "text")
            let outcome = try Program.succeed(
                ["auto", TestFiles.root.appending(path: model).path, "--size", "3x", "--no-store"]
                    + ["--schemes", "bcq2,bcq3", "--effort", "3", "--name", "x", "--metric"]
                    + ["--reports", workspace.path("r"), "--plans", workspace.path("p")]
                    + ["--output", workspace.path("packed"), "--data", workspace.path("text")])
            #expect(outcome.error.contains(noMetric), "\(outcome.error)")
            let report = String(decoding: try workspace.read("r/x.md"), as: UTF8.self)
            #expect(report.contains("No metric was measured"), "\(report)")
            for name in ["BLEU", "bleu", "accuracy", "| metric"] {
                #expect(!report.contains(name), "\(name)")
            }
            let rows = try #require(try table(workspace, "r/x.comparison.json")["rows"] as? [[String: Any]])
            #expect(rows.last?["klNats"] as? Double ?? 0 > 0)
            #expect(rows.allSatisfy { ($0["metrics"] as? [String: Any])?.isEmpty == true })
        }
    }

    @Test func refusals() throws {
        let workspace = try Workspace()
        let source = Fixture.planning[0]
        try workspace.write("One.\n", to: "text")
        for (files, problem) in [
            (
                [source, source, source],
                "expected a source file, and a reference file where there is one, got 3"
            ),
            ([workspace.path("none")], "no such file"),
        ] {
            try expectRefusal(
                ["sweep", Fixture.model.path, "--no-store", "--data"] + files, in: workspace,
                saying: [problem])
        }
        try expectRefusal(
            ["sweep", TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-llama").path]
                + ["--no-store", "--targets", "own", "--data", workspace.path("text")],
            in: workspace, saying: ["own outputs", "expected a translation model", "'llama'"])
        // KL on references and KL on own outputs are not to be mixed.
        let mixed = try Program.bitplan(
            ["plan", try Fixture.table.get().path, "--size", "11x", "--model", Fixture.model.path]
                + ["--no-store", "--limit", "10", "--data", source])
        #expect(mixed.status == 1 && mixed.output.isEmpty)
        #expect(mixed.errorLines.last?.contains("KL of the table is measured on references") == true)
        // A model that may generate nothing has no output to measure on.
        let model = try ModelCopy(in: workspace)
        try model.edit("generation_config.json", ["max_length": 1])
        let outcome = try Program.bitplan(
            ["sweep", model.path, "--fit", "greedy", "--no-store", "--data", workspace.path("text")])
        #expect(outcome.status == 1 && outcome.error.contains("own translation of sentence 1 is empty"))
    }
}
