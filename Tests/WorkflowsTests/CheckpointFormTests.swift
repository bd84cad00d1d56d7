import BitplanModels
import BitplanSensitivity
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat
import TestSupport
import Testing

/// The same weights in another file are the same model: plans, packed bytes and tables are equal to the last
/// bit.
@Suite struct CheckpointFormTests {
    static let goldens = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens")

    /// What a model directory becomes.
    private struct Outcome: Equatable {
        let plan: Data
        let configuration: Data
        let weights: Data
        let table: Data
    }

    private func outcome<Family: ModelFamily>(
        _ family: Family.Type, _ model: URL, data: URL, in workspace: URL
    ) throws -> Outcome {
        let packed = workspace.appending(path: "packed")
        let plan = try presetPlan(family, model, .uniform(.bcq(2)), fit: .greedy)
        _ = try quantize(family, model: model, plan: plan, text: nil, to: packed)
        let opened = try MeasuredModel<Family>(
            model, source: DataSource(files: [data]), options: .init(fit: .greedy))
        var sweep = SweepOptions(candidates: [.bcq(1), .bcq(3)])
        sweep.metricCells = .max
        return Outcome(
            plan: try JSONFile.data(plan),
            configuration: try Data(contentsOf: packed.appending(path: "config.json")),
            weights: try Data(contentsOf: packed.appending(path: "model.safetensors")),
            table: try JSONFile.data(try opened.sweep(sweep)))
    }

    /// Compares `model.safetensors` of a golden with the other forms of the same weights, which lie in its
    /// folders.
    private func check<Family: ModelFamily>(
        _ family: Family.Type, _ name: String, _ forms: [String], data text: String
    ) throws {
        let manager = FileManager.default
        let workspace = manager.temporaryDirectory.appending(path: "workflows-\(UUID().uuidString)")
        defer { try? manager.removeItem(at: workspace) }
        let golden = Self.goldens.appending(path: name)
        func outcome(_ weights: URL, _ files: [String]) throws -> Outcome {
            let place = workspace.appending(path: weights.lastPathComponent)
            let model = place.appending(path: "model")
            try manager.createDirectory(at: model, withIntermediateDirectories: true)
            let companions = ["config.json"] + (try family.init(directory: golden).companionFiles)
            for file in companions
            where manager.fileExists(atPath: golden.appending(path: file).path) {
                try manager.copyItem(at: golden.appending(path: file), to: model.appending(path: file))
            }
            for file in files {
                try manager.copyItem(at: weights.appending(path: file), to: model.appending(path: file))
            }
            let data = place.appending(path: "data")
            try Data(text.utf8).write(to: data)
            return try self.outcome(family, model, data: data, in: place)
        }
        let expected = try outcome(golden, ["model.safetensors"])
        for form in forms {
            let weights = golden.appending(path: form)
            let got = try outcome(weights, try manager.contentsOfDirectory(atPath: weights.path))
            #expect(got.plan == expected.plan, "\(form)")
            #expect(got.configuration == expected.configuration, "\(form)")
            #expect(got.weights == expected.weights, "\(form)")
            #expect(got.table == expected.table, "\(form)")
        }
    }

    @Test func bert() throws {
        try check(
            BertFamily.self, "tiny-bert", ["sharded", "pickled"],
            data: "good film\t1\nnot bad, the film\tgood\t2\nabc def\tneutral\n!\tcontradiction\n")
    }

    @Test func llama() throws {
        try check(
            LlamaFamily.self, "tiny-llama", ["sharded", "pickled", "legacy"],
            data: "the cat and the hat\nan ant ran and ran\n")
    }
}
