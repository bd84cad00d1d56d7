import BitplanEncoding
import BitplanModels
import BitplanTensors
import BitplanTraining
import BitplanWorkflows
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Models that differ from their family's own in settings and names, packed and tuned.
@Suite struct KinTests {
    static let decoders = [
        "bitnet", "gemma2", "gemma3_text", "llama2", "llama3", "mistral", "qwen2", "qwen3", "smollm3",
    ]
    static let encoders = ["distilbert", "electra", "roberta", "xlm-roberta"]
    private let root = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")

    private func model(_ name: String) -> URL {
        TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/kin/\(name)")
    }

    private func data(_ name: String, lines: Int, seed: Int = 3) throws -> DataSource {
        let words = ["good", "bad", "film", "the", "not", "abc", "dej", "fig", "hab"]
        let file = root.appending(path: name)
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        let text = (0..<lines).map { line in
            (0..<4).map { words[(line * 7 + $0 * (seed + line)) % words.count] }.joined(separator: " ")
        }
        try Data((text.joined(separator: "\n") + "\n").utf8).write(to: file)
        return DataSource(files: [file])
    }

    /// Packed weights give the scores that their dense decoding gives.
    private func checkPacked<Family: ModelFamily>(_ family: Family.Type, _ name: String) throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let source = try data("data.txt", lines: 6)
        for scheme in ["fp16", "bcq3", "int4:g64", "tcq2"] {
            let packed = root.appending(path: "packed-\(scheme)")
            let plan = try presetPlan(Family.self, model(name), Preset(named: scheme), fit: .greedy)
            _ = try quantize(Family.self, model: model(name), plan: plan, text: nil, to: packed)
            let opened = try PackedModel<Family>(directory: packed)
            #expect(opened.family.type == (name.hasPrefix("llama") ? "llama" : name))
            let examples = try opened.family.task.dataset(source.files, limit: 4, windows: nil).examples
            func scores(decoded: Bool) throws -> [Float] {
                let network = try opened.network(decoded: decoded)
                return network.logits(network.outputs(network.state(examples)), observing: nil).storage
            }
            let (fast, slow) = (try scores(decoded: false), try scores(decoded: true))
            let size = slow.reduce(Float(0)) { max($0, abs($1)) }
            let worst = zip(fast, slow).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
            // Kernels of codes round activations to 16 bits.
            #expect(fast.count == slow.count && worst < 1e-2 * size, "\(name) \(scheme): \(worst) of \(size)")
        }
    }

    @Test(arguments: decoders) func packedDecoders(_ name: String) throws {
        try checkPacked(LlamaFamily.self, name)
    }

    @Test(arguments: encoders) func packedEncoders(_ name: String) throws {
        try checkPacked(BertFamily.self, name)
    }

    /// Steps of training are never worse than the start, and the packed model gives the loss that training
    /// reports.
    private func checkTuning<Family: ModelFamily>(_ family: Family.Type, _ name: String) throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let plan = try presetPlan(Family.self, model(name), Preset(named: "int2"), fit: .greedy)
        let log = try tune(
            Family.self,
            TuneRequest(
                model: model(name), start: .plan(plan), data: try data("data.txt", lines: 30),
                heldOut: try data("held-out.txt", lines: 9, seed: 5), recipe: .weights, length: .steps(3),
                output: root.appending(path: "packed")
            ) {
                $0.batchSize = 16
                $0.evaluateEvery = 1
            })
        let best = try #require(log.points.map(\.heldOut).min())
        let packed = try #require(log.packedHeldOut)
        #expect(best < log.points[0].heldOut, "\(name): \(log.points.map(\.heldOut))")
        #expect(abs(packed - best) <= 5e-3 * best + 2e-6, "\(name): trained \(best), packed \(packed)")
    }

    @Test(arguments: decoders) func tunedDecoders(_ name: String) throws {
        try checkTuning(LlamaFamily.self, name)
    }

    @Test(arguments: encoders) func tunedEncoders(_ name: String) throws {
        try checkTuning(BertFamily.self, name)
    }

    /// Layers that are alike can be dropped, with their entries of lists; others cannot.
    @Test func droppedLayers() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let output = root.appending(path: "fewer")
        let layout = try dropLayers(BertFamily.self, model: model("distilbert"), keeping: [1], to: output)
        #expect(layout.sublayers.map(\.name.description).contains("FFN.0"))
        #expect(try FileError.readObject(output.appending(path: "config.json"))["n_layers"] as? Int == 1)
        let listed = root.appending(path: "listed")
        try FileManager.default.copyItem(at: model("qwen3"), to: listed)
        let file = listed.appending(path: "config.json")
        var settings = try FileError.readObject(file)
        settings["layer_types"] = ["full_attention", "full_attention"]
        try JSONSerialization.data(withJSONObject: settings).write(to: file)
        let fewer = try dropLayers(
            LlamaFamily.self, model: listed, keeping: [0], to: root.appending(path: "one"))
        #expect(fewer.sublayers.map(\.name.description) == ["Emb", "Attention.0", "FFN.0"])
        let error = #expect(throws: UsageError.self) {
            try dropLayers(
                LlamaFamily.self, model: model("smollm3"), keeping: [0], to: root.appending(path: "no"))
        }
        #expect(error.map { "\($0)" }?.contains("this is a smollm3 whose layers are not alike") == true)
    }
}
