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
