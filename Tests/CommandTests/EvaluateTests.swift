import Foundation
import TestSupport
import Testing

/// Measuring and running a model, as it is and packed.
@Suite struct EvaluateTests {
    @Test func evaluationHasEveryMeasure() throws {
        let outcome = try Program.succeed(
            ["evaluate", Fixture.model.path, "--reference", Fixture.model.path, "--limit", "20", "--json"]
                + ["--data"] + Fixture.checking)
        let result = try outcome.object()
        for key in ["bleu", "chrf2", "crossEntropy", "kl", "bytes", "tokensPerSecond", "peakMemoryBytes"] {
            #expect(result[key] is NSNumber, "\(key): \(outcome.text)")
        }
        #expect(result["sentences"] as? Int == 20)
        #expect(result["kl"] as? Double == 0, "a model against itself")
        #expect(result["bytes"] as? Int == Fixture.fullPrecisionBytes)
        let bleu = try #require(result["bleu"] as? Double)
        #expect(bleu > 15 && bleu < 100)
        #expect(try #require(result["tokensPerSecond"] as? Double) > 0)
        #expect(try #require(result["peakMemoryBytes"] as? Int) > Fixture.fullPrecisionBytes)
        #expect(result["klOwn"] as? Double == 0, "on its own outputs, too")
        #expect(
            outcome.errorLines.count == 1 && outcome.error.contains("note: making the model's own outputs"))
        let once = try Program.succeed(
            ["evaluate", Fixture.model.path, "--reference", Fixture.model.path, "--limit", "20", "--json"]
                + ["--no-own", "--data"] + Fixture.checking)
        #expect(try once.object()["klOwn"] == nil && once.error.isEmpty)
    }

    @Test func evaluationWithoutReferenceHasNoKL() throws {
        let arguments = ["evaluate", Fixture.model.path, "--limit", "5"]
        let outcome = try Program.succeed(arguments + ["--json", "--data"] + Fixture.checking)
        #expect(try outcome.object()["kl"] is NSNull)
        let text = try Program.succeed(arguments + ["--data"] + Fixture.checking).text
        #expect(text.contains("bleu: ") && text.contains("cross-entropy: ") && !text.contains("KL: "))
    }

    @Test func packedModelIsEvaluatedFromItsOwnBytes() throws {
        let workspace = try Workspace()
        try Program.succeed(
            ["quantize", Fixture.model.path, "--preset", "bcq4", "--fit", "greedy"]
                + ["--output", workspace.path("packed")])
        let result = try Program.succeed(
            ["evaluate", workspace.path("packed"), "--reference", Fixture.model.path, "--limit", "10"]
                + ["--json", "--data"] + Fixture.checking
        ).object()
        let kl = try #require(result["kl"] as? Double)
        #expect(kl > 0 && kl < 2)
        #expect(try #require(result["bytes"] as? Int) < Fixture.fullPrecisionBytes / 6)
    }

    /// Two packed models beside each other: differences are those of their own evaluations, with intervals
    /// around them, and the other way round their negatives.
    @Test func evaluationAgainstAnother() throws {
        let workspace = try Workspace()
        for preset in ["bcq2", "bcq4"] {
            try Program.succeed(
                ["quantize", Fixture.model.path, "--preset", preset, "--fit", "greedy"]
                    + ["--output", workspace.path(preset)])
        }
        func evaluate(_ model: String, _ more: [String]) throws -> Outcome {
            try Program.succeed(
                ["evaluate", workspace.path(model), "--reference", Fixture.model.path, "--limit", "35"]
                    + ["--timed", "0"] + more + ["--data"] + Fixture.checking)
        }
        func difference(_ object: [String: Any], _ key: String) throws -> (value: Double, interval: [Double])
        {
            let against = try #require(object["against"] as? [String: Any])
            let difference = try #require(against[key] as? [String: Any])
            return (
                try #require(difference["value"] as? Double),
                try #require(difference["interval"] as? [Double])
            )
        }
        let fine = try evaluate("bcq4", ["--json", "--against", workspace.path("bcq2")]).object()
        let coarse = try evaluate("bcq2", ["--json", "--against", workspace.path("bcq4")]).object()
        for (key, measure) in [("klNats", "kl"), ("metric", "bleu")] {
            let (ours, its) = (
                try #require(fine[measure] as? Double), try #require(coarse[measure] as? Double)
            )
            let (value, interval) = try difference(fine, key)
            #expect(abs(value - (ours - its)) < 1e-12 * max(1, abs(ours)), "\(key)")
            #expect(interval[0] <= value && value <= interval[1])
            #expect(abs(try difference(coarse, key).value + value) < 1e-12 * max(1, abs(ours)))
        }
        let kl = try difference(fine, "klNats")
        #expect(kl.interval[1] < 0, "four bits lose less than two, whatever the sentences")
        let text = try evaluate("bcq4", ["--against", workspace.path("bcq2")]).text
        #expect(text.contains("KL against \(workspace.path("bcq2")): -"), "\(text)")
        #expect(text.contains("BLEU against ") && !text.contains("are few"), "\(text)")
        let itself = try evaluate("bcq4", ["--json", "--against", workspace.path("bcq4")]).object()
        for key in ["klNats", "metric"] {
            let none = try difference(itself, key)
            #expect(none.value == 0 && none.interval == [0, 0], "\(key)")
        }
    }

    /// What cannot be compared is refused with one line that names it.
    @Test func whatCannotBeComparedIsRefused() throws {
        let classifier = TestFiles.root.appending(path: "Fixtures/sst2-bert").path
        for other in ["/nowhere", classifier] {
            let outcome = try Program.bitplan(
                [
                    "evaluate", Fixture.model.path, "--limit", "2", "--timed", "0", "--against", other,
                    "--data",
                ]
                    + Fixture.checking)
            #expect(outcome.status != 0 && outcome.errorLines.count == 1, "\(outcome.error)")
            #expect(outcome.error.contains(other), "\(outcome.error)")
        }
    }

    @Test func runAnswersLineByLine() throws {
        let text = try String(contentsOfFile: Fixture.checking[0], encoding: .utf8)
        let lines = text.split(separator: "\n").prefix(6)
        let input = lines.joined(separator: "\n") + "\n\n"
        let outcome = try Program.succeed(["run", Fixture.model.path], input: input)
        let answers = outcome.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(answers.count == 7, "six sentences and an empty line")
        #expect(answers.prefix(6).allSatisfy { !$0.isEmpty })
        let objects = try Program.succeed(["run", Fixture.model.path, "--json"], input: input).text
            .split(separator: "\n")
        for (index, line) in lines.enumerated() {
            let object =
                try JSONSerialization.jsonObject(with: Data(objects[index].utf8)) as? [String: String]
            #expect(object == ["input": String(line), "output": String(answers[index])])
        }
    }

    @Test func nothingInNothingOut() throws {
        let outcome = try Program.succeed(["run", Fixture.model.path], input: "")
        #expect(outcome.output.isEmpty && outcome.error.isEmpty)
    }

    @Test func batchesAndThreadsDoNotMatter() throws {
        let input = try String(contentsOfFile: Fixture.checking[0], encoding: .utf8)
            .split(separator: "\n").prefix(20).joined(separator: "\n")
        let one = try Program.succeed(
            ["run", Fixture.model.path, "--threads", "1", "--batch", "7"], input: input)
        let two = try Program.succeed(
            ["run", Fixture.model.path, "--threads", "2", "--batch", "3"], input: input)
        #expect(one.output == two.output)
    }
}
