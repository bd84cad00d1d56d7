import BitplanModels
import BitplanTensors
import BitplanTokenizers
import Foundation
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
            model.family.layout.sublayers.map(\.name.description) == [
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
        let answers = try model.family.task.run(
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
            (#""problem_type": "regression""#, "problem_type 'regression' with 3 classes"),
            (
                #""problem_type": "single_label_classification", "id2label": {"0": "one"}"#,
                "with 1 class is not supported: expected at least 2"
            ),
            (#""id2label": {}"#, "'id2label': expected at least 1 class"),
            (#""id2label": {"0": "one", "2": "two"}"#, "class 1 of 2 has no name"),
            (#""is_decoder": true"#, "'is_decoder': true"),
            (#""num_attention_heads": 3"#, "not a multiple of num_attention_heads 3"),
            (#""hidden_act": "mish""#, "'mish' is not supported"), (#""vocab_size": 10"#, "vocab_size 10"),
            (
                #""max_position_embeddings": 1"#,
                "config.json: 'max_position_embeddings': expected at least 2, the special tokens around a text, got 1"
            ),
            (
                #""max_position_embeddings": 2"#,
                "config.json: 'max_position_embeddings': expected at least 3, the special tokens around a pair, got 2"
            ),
        ])
    func unsupportedConfigurations(_ change: String, _ expected: String) throws {
        try expectRefusal(change, saying: expected)
    }

    /// Reads the family of a directory with these settings changed, the tiny model's vocabulary and further
    /// files.
    private func family(_ change: String, _ files: [String: String] = [:]) throws -> BertFamily {
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
        for (name, text) in files { try Data(text.utf8).write(to: directory.appending(path: name)) }
        return try BertFamily(directory: directory)
    }

    private func expectRefusal(
        _ change: String = "", _ files: [String: String] = [:], saying expected: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let error = #expect(throws: FileError.self, sourceLocation: sourceLocation) {
            try family(change, files)
        }
        let text = error?.description ?? ""
        #expect(text.contains(expected) && !text.contains("\n"), "\(text)", sourceLocation: sourceLocation)
    }

    /// The tiny model's words as a tokenizer.json with these pieces around one text and around a pair.
    private func tokenizer(single: String, pair: String) throws -> String {
        let words = try TextFile.lines(Self.tiny.appending(path: "vocab.txt"))
        let vocabulary = words.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ")
        let template =
            #"{"type": "TemplateProcessing", "single": [\#(single)], "pair": [\#(pair)], "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}}}"#
        return
            #"{"model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {\#(vocabulary)}}, "normalizer": null, "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": \#(template)}"#
    }

    /// What a model reads of data.
    private func sequences(_ family: BertFamily, _ text: String) throws -> [TokenSequence] {
        let file = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString).tsv")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(text.utf8).write(to: file)
        return try family.task.dataset([file], limit: nil).examples.flatMap(\.sequences)
    }

    private func piece(_ text: String, type: Int = 0) -> String {
        text == "[CLS]"
            ? #"{"SpecialToken": {"id": "[CLS]", "type_id": \#(type)}}"#
            : #"{"Sequence": {"id": "\#(text)", "type_id": \#(type)}}"#
    }

    @Test func specialTokensAndTypesHaveToFit() throws {
        let (start, first, second) = (piece("[CLS]"), piece("A"), piece("B", type: 1))
        let pair = [start, first, second].joined(separator: ", ")
        func refusal(_ single: String, _ pair: String, saying expected: String) throws {
            try expectRefusal(
                "", ["tokenizer.json": try tokenizer(single: single, pair: pair)], saying: expected)
        }
        let good = try family("", ["tokenizer.json": try tokenizer(single: "\(start), \(first)", pair: pair)])
        #expect(good.tokenizer.encode("", pairedWith: "").ids == [2])
        try refusal(
            "\(start), \(piece("A", type: 2))", pair,
            saying: "tokenizer.json: 'post_processor' gives a text the type_id 2: expected 0 to 1")
        try refusal(
            "\(start), \(first)", "\(start), \(first), \(piece("B", type: 9))",
            saying: "gives a pair the type_id 9: expected 0 to 1, config.json says type_vocab_size 2")
        try refusal(
            "\(start), \(first)", "\(start), \(first), \(piece("B", type: .max))",
            saying: "gives a pair the type_id 9223372036854775807")
        try refusal(
            first, pair,
            saying:
                "tokenizer.json: 'post_processor' puts no special token around a text: expected at least 1")
        try refusal(
            "\(start), \(first)", "\(first), \(second)",
            saying: "'post_processor' puts no special token around a pair")
        try refusal(
            [String](repeating: start, count: 20).joined(separator: ", "), pair,
            saying:
                "'max_position_embeddings': expected at least 20, the special tokens around a text, got 19")
        // An encoder never reads a pair as one text, and a model of one type knows no others.
        let json = try tokenizer(single: "\(start), \(first)", pair: "\(first), \(piece("B", type: 9))")
        _ = try family(#""architectures": ["BertModel"]"#, ["tokenizer.json": json])
        let one = try family(
            #""type_vocab_size": 1"#,
            ["tokenizer.json": try tokenizer(single: "\(start), \(first)", pair: pair)])
        #expect(try sequences(one, "good\tfilm\t0\n").map(\.typeIDs) == [[0, 0, 0]])
    }

    /// A vocab.txt that lacks a line gives the tokens behind it other ids; only padding may be without
    /// tokens.
    @Test func lostLinesOfTheVocabularyAreRefused() throws {
        let words = try TextFile.lines(Self.tiny.appending(path: "vocab.txt"))
        #expect(words.count == 36)
        for rows in [64, 128] { _ = try family(#""vocab_size": \#(rows)"#) }
        for rows in [37, 40, 192] {
            try expectRefusal(
                #""vocab_size": \#(rows)"#,
                saying: "vocab.txt: has 36 lines, config.json says vocab_size \(rows): expected as many")
        }
        for lost in [7, 35] {
            var fewer = words
            fewer.remove(at: lost)
            try expectRefusal(
                "", ["vocab.txt": fewer.joined(separator: "\n")],
                saying: "has 35 lines, config.json says vocab_size 36")
        }
        // Where every token has its id, none is shifted.
        let json = try tokenizer(single: "\(piece("[CLS]")), \(piece("A"))", pair: piece("[CLS]"))
        _ = try family(#""vocab_size": 40"#, ["tokenizer.json": json])
    }

    @Test func inputsAreCutWhereTheTokenizerSaysSo() throws {
        func length(_ value: String) throws -> Int {
            try family("", ["tokenizer_config.json": #"{"model_max_length": \#(value)}"#])
                .configuration.maximumLength
        }
        #expect(try length("7") == 7)
        #expect(try length("19") == 19)
        #expect(try length("512") == 19)
        #expect(try length("1000000000000000019884624838656") == 19)
        #expect(try length("1e30") == 19)
        #expect(try length("null") == 19)
        #expect(try family("").configuration.maximumLength == 19)
        let short = try family("", ["tokenizer_config.json": #"{"model_max_length": 7}"#])
        #expect(try sequences(short, "a b c d e f g h\t0\n").map(\.ids.count) == [7])
        for value in ["0", "-1", "2.5", "true", "\"19\""] {
            try expectRefusal(
                "", ["tokenizer_config.json": #"{"model_max_length": \#(value)}"#],
                saying: "tokenizer_config.json: 'model_max_length': expected a")
        }
    }
}
