import BitplanMetrics
import BitplanModels
import BitplanTensors
import Foundation
import TestSupport
import Testing

/// Reference outputs of PyTorch and transformers, as `make_goldens_classifier.py` writes them.
private struct ClassifierGoldens: Decodable {
    struct Row: Decodable {
        let ids: [Int]
        let logits: [Float]
        let cross_entropy: Double
    }
    let rows: Int
    let accuracy: Double
    let f1: Double
    let matthews: Double
    let cross_entropy: Double
    let row: [Row]
}

/// As `make_goldens_bert.py` writes them.
private struct EncoderGoldens: Decodable {
    let spearman: Double
    let pearson: Double
    let hidden_of: [String]
    let cosines: [Double]
}

private func decode<Value: Decodable>(_ type: Value.Type, _ file: URL) throws -> Value {
    try JSONDecoder().decode(type, from: Data(contentsOf: file))
}

private func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    #expect(a.count == b.count)
    return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

@Suite struct BertGoldenTests {
    static let classifier = "models/sst2-bert"
    private static let fixture = TestFiles.root.appending(path: "Fixtures/sst2-bert")
    static let encoder = FileManager.default.homeDirectoryForCurrentUser.appending(
        path: ".cache/bitplan-models/minilm-l6")

    @Test(.enabled(if: TestFiles.hasShared(classifier), "needs ../shared/models/sst2-bert"))
    func sst2() throws {
        let directory = TestFiles.shared.appending(path: Self.classifier)
        let model = try Model<BertFamily>(directory: directory)
        let network = try model.network()
        let goldens = try decode(ClassifierGoldens.self, directory.appending(path: "goldens/goldens.json"))
        let tensors = try Safetensors(directory.appending(path: "goldens/goldens.safetensors"))
        let data = try model.family.task.dataset(
            [TestFiles.shared.appending(path: "data/sst2.dev.tsv")], limit: nil)
        #expect(data.examples.map { $0.sequences[0].ids } == goldens.row.map(\.ids))

        // hidden_i_l: behind the embeddings (sublayers 0 and 1), then behind every layer (two more).
        var worst: Float = 0
        for index in 0..<2 {
            for layer in 0...model.family.configuration.layers {
                let state = network.state([data.examples[index]], before: 2 + 2 * layer)
                worst = max(
                    worst,
                    largestDifference(
                        try tensors.floats("hidden_\(index)_\(layer)"), state.encoder.hidden.storage))
            }
        }
        print("sst2-bert, largest deviation of states from PyTorch:", worst)
        #expect(worst < 2e-3)

        var logits: [Float] = []
        var nats = 0.0
        for start in stride(from: 0, to: data.examples.count, by: 50) {
            let batch = Array(data.examples[start..<min(start + 50, data.examples.count)])
            let rows = network.logits(network.outputs(network.state(batch)))
            logits += rows.storage
            for (row, example) in batch.enumerated() {
                nats += LogLikelihood.crossEntropy(rows[row: row], target: example.label ?? 0)
            }
        }
        let deviation = largestDifference(goldens.row.flatMap(\.logits), logits)
        print("sst2-bert, largest deviation of logits:", deviation)
        #expect(deviation < 2e-3)
        #expect(abs(nats / Double(goldens.rows) - goldens.cross_entropy) < 1e-5)

        let score = try model.family.task.score(network, on: data, options: TaskOptions())
        #expect(score.values.map(\.name) == ["accuracy", "f1", "matthews"])
        #expect(abs(score.values[0].value - goldens.accuracy) < 1e-12)
        #expect(abs(score.values[1].value - goldens.f1) < 1e-12)
        #expect(abs(score.values[2].value - goldens.matthews) < 1e-12)
    }

    @Test func classifierAnswersLinesWithLabels() throws {
        let model = try Model<BertFamily>(directory: Self.fixture)
        let network = try model.network()
        let answers = try model.family.task.run(
            network, lines: ["a charming journey .", "bleak and desperate", "", "a\tb"],
            options: TaskOptions())
        #expect(answers.count == 4)
        #expect(answers[0].hasPrefix("LABEL_1\t0."))
        #expect(answers[1].hasPrefix("LABEL_0\t0."))
        #expect(throws: LineError.self) {
            try model.family.task.run(network, lines: ["a\tb\tc"], options: TaskOptions())
        }
    }

    @Test func batchesDoNotMatter() throws {
        let model = try Model<BertFamily>(directory: Self.fixture)
        let network = try model.network()
        let data = try model.family.task.dataset(
            [TestFiles.root.appending(path: "Fixtures/data/sst2.plan.tsv")], limit: 9)
        let together = network.outputs(network.state(data.examples))
        let alone = data.examples.flatMap { network.outputs(network.state([$0])).storage }
        #expect(together.storage == alone)
    }

    @Test func wrongDataIsRefusedByLine() throws {
        let family = try BertFamily(directory: Self.fixture)
        let file = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString).tsv")
        defer { try? FileManager.default.removeItem(at: file) }
        for (text, expected) in [
            ("fine\t1\nno label\n", "line 2: expected text<TAB>label"),
            ("no label\nfine\t1\n", "line 2: expected texts alone as in line 1, got text<TAB>label"),
            ("fine\t1\nfine\t\n", "line 2: expected text<TAB>label"), ("\n\n", "has no text"),
            ("fine\t2\n", "line 1: '2' is no label: expected 0 to 1"),
            ("a\tb\tc\td\n", "line 1: expected"), ("a\tgood\n", "line 1: 'good' is no label"),
        ] {
            try Data(text.utf8).write(to: file)
            let error = #expect(throws: FileError.self) { try family.task.dataset([file], limit: nil) }
            #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
        }
        try Data("fine\tLABEL_0\nfirst\tsecond\t1\n".utf8).write(to: file)
        let data = try family.task.dataset([file], limit: nil)
        #expect(data.examples.map(\.label) == [0, 1])
        #expect(data.examples[1].sequences[0].typeIDs.contains(1))
    }

    /// Texts alone, and pairs whose last column is empty, have no labels, and nothing to score.
    @Test func textsWithoutLabels() throws {
        let model = try Model<BertFamily>(directory: Self.fixture)
        let file = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString).tsv")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("a fine film\n\nfirst\tsecond\t\n".utf8).write(to: file)
        let data = try model.family.task.dataset([file], limit: nil)
        #expect(data.examples.map(\.label) == [nil, nil, nil] && !data.hasReferences)
        #expect(data.examples[2].sequences[0].typeIDs.contains(1))
        let score = try model.family.task.score(try model.network(), on: data, options: TaskOptions())
        #expect(score.values.isEmpty && score.outputs.count == 3)
        #expect(data[1..<2].examples == [data.examples[1]] && data[1..<2].references.isEmpty)
    }

    @Test(
        .enabled(
            if: TestFiles.hasShared("models/minilm-l6")
                && FileManager.default.fileExists(atPath: encoder.appending(path: "model.safetensors").path),
            "needs ../shared/models/minilm-l6 and ~/.cache/bitplan-models/minilm-l6 (../shared/tools/fetch_minilm.py)"
        ))
    func minilm() throws {
        let goldenDirectory = TestFiles.shared.appending(path: "models/minilm-l6/goldens")
        let goldens = try decode(EncoderGoldens.self, goldenDirectory.appending(path: "goldens.json"))
        let tensors = try Safetensors(goldenDirectory.appending(path: "goldens.safetensors"))
        let model = try Model<BertFamily>(directory: Self.encoder)
        let network = try model.network()
        #expect(model.family.configuration.task == .embedding(pooling: .mean, isNormalized: true))
        #expect(model.family.configuration.maximumLength == 256)
        var worst: Float = 0
        for (index, text) in goldens.hidden_of.enumerated() {
            let sequence = model.family.tokenizer.encode(text, pairedWith: nil)
            let state = network.state([.init([sequence])])
            worst = max(
                worst, largestDifference(try tensors.floats("hidden_\(index)"), state.encoder.hidden.storage))
            worst = max(
                worst,
                largestDifference(try tensors.floats("vector_\(index)"), network.vectors(state).storage))
        }
        print("minilm-l6, largest deviation from PyTorch:", worst)
        #expect(worst < 2e-3)

        let data = try model.family.task.dataset(
            [TestFiles.shared.appending(path: "data/stsb.dev.tsv")], limit: nil)
        let score = try model.family.task.score(network, on: data, options: TaskOptions())
        print("minilm-l6, STS-B dev:", score.values)
        #expect(abs(score.values[0].value - goldens.spearman) < 5e-4)
        #expect(abs(score.values[1].value - goldens.pearson) < 5e-4)
        let cosines = score.outputs.compactMap(Double.init)
        #expect(zip(cosines, goldens.cosines).allSatisfy { abs($0 - $1) < 1e-4 })
    }
}
