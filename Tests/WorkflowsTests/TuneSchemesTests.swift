import BitplanModels
import BitplanTraining
import BitplanWorkflows
import Foundation
import PlanFormat
import TestSupport
import Testing

/// The packed model is what training left: every scheme, both recipes, by its own kernels.
@Suite struct TuneSchemesTests {
    private static let model = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-bert")
    private let root = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")

    private func text(_ name: String, _ lines: Int, seed: Int) throws -> DataSource {
        let words = ["good", "bad", "film", "the", "not", "abc", "dej", "fig", "hab"]
        let file = root.appending(path: name)
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        let content = (0..<lines).map { line in
            (0..<4).map { words[(line * 7 + $0 * (seed + line)) % words.count] }.joined(separator: " ")
        }
        try content.joined(separator: "\n").appending("\n").write(to: file, atomically: true, encoding: .utf8)
        return DataSource(files: [file])
    }

    @Test(arguments: EveryScheme.list)
    func packedIsWhatTrainingLeft(_ scheme: Scheme) throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let data = try text("data.txt", 40, seed: 3)
        let heldOut = try text("held-out.txt", 12, seed: 5)
        for recipe in [TrainingRecipe.scales, .weights] {
            let plan = try presetPlan(
                BertFamily.self, Self.model, try Preset(named: "\(scheme)"), fit: .greedy)
            let log = try tune(
                BertFamily.self,
                TuneRequest(
                    model: Self.model, start: .plan(plan), data: data, heldOut: heldOut, recipe: recipe,
                    length: .steps(4), output: root.appending(path: "packed-\(recipe)")
                ) {
                    $0.batchSize = 16
                    $0.evaluateEvery = 1
                })
            let directory = try PackedDirectory<BertFamily>(
                root.appending(path: "packed-\(recipe)"), of: Self.model, heldOut: heldOut)
            try directory.expectWhatTrainingLeft(log, "\(recipe)")
        }
    }
}
