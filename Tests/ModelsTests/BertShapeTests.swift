import Foundation
import Models
import Tensors
import TestSupport
import Testing

/// A random BERT of odd shape against transformers, as `Scripts/goldens/models.py` writes it.
@Suite struct BertShapeTests {
    private struct Row: Decodable {
        let texts: [String]
        let ids: [Int]
        let types: [Int]
        let logits: [Float]
    }

    static let tiny = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-bert")

    @Test func pairsAndNamedLabels() throws {
        let model = try Model<BertFamily>(directory: Self.tiny)
        let network = try model.network()
        #expect(
            model.family.configuration.task
                == .classification(labels: ["contradiction", "entailment", "neutral"]))
        #expect(
            model.layout.sublayers.map(\.name.description) == [
                "Emb", "Pos", "Attention.0", "FFN.0", "Attention.1", "FFN.1", "Attention.2", "FFN.2",
                "Pooler", "Head",
            ])
        let rows = try JSONDecoder().decode(
            [Row].self, from: Data(contentsOf: Self.tiny.appending(path: "goldens.json")))
        var worst: Float = 0
        for row in rows {
            let sequence = model.family.tokenizer.encode(
                row.texts[0], pairedWith: row.texts.dropFirst().first,
                maximumLength: model.family.configuration.maximumLength)
            #expect(sequence.ids == row.ids)
            #expect(sequence.typeIDs == row.types)
            let logits = network.logits(network.outputs(network.state([.init([sequence])])))
            for (a, b) in zip(logits.storage, row.logits) { worst = max(worst, abs(a - b)) }
        }
        print("tiny-bert, largest deviation of logits from PyTorch:", worst)
        #expect(worst < 2e-3)
        let answers = try model.family.run(
            network, lines: rows.map { $0.texts.joined(separator: "\t") }, options: TaskOptions())
        for (answer, row) in zip(answers, rows) {
            let best = row.logits.indices.max { row.logits[$0] < row.logits[$1] } ?? 0
            #expect(answer.hasPrefix(["contradiction", "entailment", "neutral"][best] + "\t"))
        }
    }

    @Test(
        arguments: [
            (#""architectures": ["BertForMaskedLM"]"#, "'BertForMaskedLM' is not supported"),
            (#""position_embedding_type": "relative_key""#, "'relative_key' is not supported"),
            (#""problem_type": "regression""#, "problem_type 'regression'"),
            (#""id2label": {"0": "one"}"#, "a classifier with 1 class"),
            (#""id2label": {"0": "one", "2": "two"}"#, "class 1 of 2 has no name"),
            (#""is_decoder": true"#, "'is_decoder': true"),
            (#""num_attention_heads": 3"#, "not a multiple of num_attention_heads 3"),
            (#""hidden_act": "mish""#, "'mish' is not supported"), (#""vocab_size": 10"#, "vocab_size 10"),
        ])
    func unsupportedConfigurations(_ change: String, _ expected: String) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.copyItem(
            at: Self.tiny.appending(path: "vocab.txt"), to: directory.appending(path: "vocab.txt"))
        let json = try JSONSerialization.jsonObject(
            with: Data(contentsOf: Self.tiny.appending(path: "config.json")))
        var settings = try #require(json as? [String: Any])
        let changed = try JSONSerialization.jsonObject(with: Data("{\(change)}".utf8))
        settings.merge(try #require(changed as? [String: Any])) { $1 }
        try JSONSerialization.data(withJSONObject: settings).write(
            to: directory.appending(path: "config.json"))
        let error = #expect(throws: FileError.self) { try BertFamily(directory: directory) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }
}
