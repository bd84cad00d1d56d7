import BitplanModels
import BitplanTensors
import Foundation
import TestSupport
import Testing

/// The tiny BERT read as a sentence encoder: its head left aside, tensors found behind `bert.`.
@Suite struct SentenceEncoderTests {
    static let tiny = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-bert")

    /// A copy as `BertModel`, with further files.
    private func encoder(_ files: [String: String] = [:]) throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        for name in ["vocab.txt", "model.safetensors"] {
            try FileManager.default.copyItem(
                at: Self.tiny.appending(path: name), to: directory.appending(path: name))
        }
        let json = try JSONSerialization.jsonObject(
            with: Data(contentsOf: Self.tiny.appending(path: "config.json")))
        var settings = try #require(json as? [String: Any])
        settings["architectures"] = ["BertModel"]
        try JSONSerialization.data(withJSONObject: settings).write(
            to: directory.appending(path: "config.json"))
        for (name, text) in files {
            let file = directory.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        return directory
    }

    private let pairs =
        "good film\tnot bad\t4.5\nbad film\tgood film!\t1\na b c\tthe film, abc\t2\n\tjihg\t0\n"

    /// Sentences alone have the same anchors as pairs of the same first texts, and no score.
    @Test func sentencesWithoutScores() throws {
        let directory = try encoder([
            "alone.tsv": "good film\nbad film\na b c\n", "half.tsv": "good film\nbad film\tgood film\t1\n",
            "pairs.tsv": "good film\tx\t1\nbad film\ty\t2\na b c\tz\t3\n",
        ])
        defer { try? FileManager.default.removeItem(at: directory) }
        let model = try Model<BertFamily>(directory: directory)
        func read(_ name: String) throws -> Dataset<EncoderNetwork.Example> {
            try model.family.task.dataset([directory.appending(path: name)], limit: nil)
        }
        let (alone, pairs) = (try read("alone.tsv"), try read("pairs.tsv"))
        #expect(!alone.hasReferences && pairs.references == ["1", "2", "3"])
        #expect(alone.examples[0].anchors == pairs.examples[0].anchors)
        let network = try model.network()
        let rows = network.outputs(network.state(alone.examples))
        let both = network.outputs(network.state(pairs.examples))
        #expect(rows.storage == [0, 2, 4].flatMap { both[row: $0] })
        #expect(try model.family.task.score(network, on: alone, options: TaskOptions()).values.isEmpty)
        let error = #expect(throws: FileError.self) { try read("half.tsv") }
        #expect(error?.message.contains("line 2: expected texts alone as in line 1") == true)
    }

    @Test func outputsAreSimilaritiesWithTheDatasAnchors() throws {
        let directory = try encoder(["data.tsv": pairs])
        defer { try? FileManager.default.removeItem(at: directory) }
        let model = try Model<BertFamily>(directory: directory)
        #expect(model.family.configuration.task == .embedding(pooling: .mean, isNormalized: false))
        #expect(!model.layout.sublayers.contains { ["Pooler", "Head"].contains($0.name.kind) })
        let network = try model.network()
        let data = try model.family.task.dataset([directory.appending(path: "data.tsv")], limit: nil)
        let few = try model.family.task.dataset([directory.appending(path: "data.tsv")], limit: 1)
        #expect(few.examples == [data.examples[0]])
        let together = network.logits(network.outputs(network.state(data.examples)))
        #expect(together.rows == 8 && together.columns == 4)
        #expect(together.storage == data.examples.flatMap { network.outputs(network.state([$0])).storage })
        // The first text is the first anchor: its cosine with itself is 1, over the temperature 20.
        #expect(abs(together[0, 0] - 20) < 1e-4)
        #expect(network.targets(data.examples[0]) == [nil, nil])

        let vectors = network.vectors(network.state([data.examples[1]]))
        let score = try model.family.task.score(network, on: data, options: TaskOptions(batchSize: 3))
        #expect(score.values.map(\.name) == ["spearman", "pearson"])
        let (a, b) = (vectors[row: 0], vectors[row: 1])
        let product = zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        let lengths = [a, b].map { $0.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
        let cosine = product / (lengths[0] * lengths[1])
        #expect(abs((Double(score.outputs[1]) ?? 0) - cosine) < 1e-9)
        let answers = try model.family.task.run(
            network, lines: ["bad film\tgood film!", "bad film"], options: TaskOptions())
        #expect(answers[0] == String(format: "%.4f", cosine))
        #expect(answers[1].split(separator: " ").compactMap { Float($0) } == Array(a))
    }

    @Test func filesOfSentenceTransformersAreHonoured() throws {
        let modules =
            #"[{"type": "s.Transformer", "path": ""}, {"type": "s.Pooling", "path": "1_Pooling"}, {"type": "s.Normalize"}]"#
        let directory = try encoder([
            "modules.json": modules, "1_Pooling/config.json": #"{"pooling_mode_cls_token": true}"#,
            "sentence_bert_config.json": #"{"max_seq_length": 6}"#,
        ])
        defer { try? FileManager.default.removeItem(at: directory) }
        let model = try Model<BertFamily>(directory: directory)
        #expect(model.family.configuration.task == .embedding(pooling: .first, isNormalized: true))
        let network = try model.network()
        let lines = ["a b c d e f g h", "a b c d"]
        let answers = try model.family.task.run(network, lines: lines, options: TaskOptions())
        #expect(answers[0] == answers[1])
        let length = answers[0].split(separator: " ").compactMap { Float($0) }.reduce(0) { $0 + $1 * $1 }
        #expect(abs(length - 1) < 1e-5)
    }

    @Test(
        arguments: [
            (
                #"{"pooling_mode_max_tokens": true}"#,
                "'pooling_mode_max_tokens': 'max' is not supported: expected mean or cls"
            ),
            (#"{"pooling_mode": "lasttoken"}"#, "'pooling_mode': 'lasttoken' is not supported"),
            (#"{"pooling_mode": ["weightedmean"]}"#, "'pooling_mode': 'weightedmean' is not supported"),
            (#"{"pooling_mode": ["cls", "mean"]}"#, "expected one of mean and cls, got cls, mean"),
            (#"{"pooling_mode": 3}"#, "'pooling_mode': expected a name or a list of names"),
            (#"{"pooling_mode": []}"#, "'pooling_mode': expected a name or a list of names"),
            (
                #"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#,
                "expected one of mean and cls, got cls, mean"
            ),
        ])
    func otherPoolingsAreRefused(_ pooling: String, _ expected: String) throws {
        let modules = #"[{"type": "s.Pooling", "path": "1_Pooling"}]"#
        let directory = try encoder(["modules.json": modules, "1_Pooling/config.json": pooling])
        defer { try? FileManager.default.removeItem(at: directory) }
        let error = #expect(throws: FileError.self) { try BertFamily(directory: directory) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }

    /// As sentence-transformers 6.2 and its older versions write them; without a mode it takes the mean.
    @Test(arguments: [
        (#"{"pooling_mode": "mean", "embedding_dimension": 48, "include_prompt": true}"#, false),
        (#"{"pooling_mode": ["mean"]}"#, false), (#"{"pooling_mode": "cls"}"#, true), (#"{}"#, false),
        (#"{"pooling_mode_mean_tokens": false, "pooling_mode_max_tokens": false}"#, false),
        (#"{"pooling_mode_cls_token": true, "word_embedding_dimension": 48}"#, true),
        (#"{"pooling_mode": "cls", "pooling_mode_mean_tokens": true}"#, true),
    ])
    func poolingsOfEveryVersion(_ pooling: String, _ isFirst: Bool) throws {
        let modules = #"[{"type": "s.Pooling", "path": "1_Pooling"}]"#
        let directory = try encoder(["modules.json": modules, "1_Pooling/config.json": pooling])
        defer { try? FileManager.default.removeItem(at: directory) }
        let task = try BertFamily(directory: directory).configuration.task
        #expect(task == .embedding(pooling: isFirst ? .first : .mean, isNormalized: false))
    }

    @Test(arguments: [
        ("sentence_bert_config.json", #"{"query_length": 32}"#, "'query_length': 32 is not supported"),
        (
            "sentence_bert_config.json", #"{"transformer_task": "fill-mask"}"#,
            "'transformer_task': 'fill-mask' is not supported: expected 'feature-extraction'"
        ),
        (
            "sentence_bert_config.json",
            #"{"modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}}}"#,
            "method_output_name 'pooler_output' is not supported"
        ),
        (
            "config_sentence_transformers.json",
            #"{"prompts": {"query": "q: "}, "default_prompt_name": "query"}"#,
            "'default_prompt_name': 'query' is not supported"
        ),
        (
            "2_Normalize/config.json", #"{"module_input_name": "token_embeddings"}"#,
            "'module_input_name': 'token_embeddings' is not supported: expected 'sentence_embedding'"
        ),
        (
            "tokenizer_config.json", #"{"truncation_side": "left"}"#,
            "'truncation_side': 'left' is not supported"
        ),
    ])
    func settingsThatChangeVectorsAreRefused(_ file: String, _ json: String, _ expected: String) throws {
        let modules =
            #"[{"type": "s.Pooling", "path": "1_Pooling"}, {"type": "s.Normalize", "path": "2_Normalize"}]"#
        let directory = try encoder(["modules.json": modules, "1_Pooling/config.json": "{}", file: json])
        defer { try? FileManager.default.removeItem(at: directory) }
        let error = #expect(throws: FileError.self) { try BertFamily(directory: directory) }
        let text = error?.description ?? ""
        #expect(text.contains("\(file): ") && text.contains(expected), "\(text)")
    }

    /// Only where sentence-transformers puts them: stores and packed models look nowhere else.
    @Test(
        arguments: [
            ("Pooling", #""path": "2_Pool""#, "at the path '2_Pool' is not supported: expected '1_Pooling'"),
            ("Pooling", #""path": "../1_Pooling""#, "at the path '../1_Pooling'"),
            ("Pooling", #""path": "/1_Pooling""#, "at the path '/1_Pooling'"),
            ("Pooling", #""name": "1""#, "at the path ''"),
            ("Transformer", #""path": "0_Transformer""#, "at the path '0_Transformer' is not supported"),
        ])
    func modulesElsewhereAreRefused(_ kind: String, _ path: String, _ expected: String) throws {
        let pooling = #"{"pooling_mode_mean_tokens": true}"#
        let directory = try encoder([
            "modules.json": #"[{"type": "s.\#(kind)", \#(path)}]"#,
            "config.json": pooling, "2_Pool/config.json": pooling,
        ])
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.removeItem(at: directory.appending(path: "config.json"))
        try FileManager.default.copyItem(
            at: Self.tiny.appending(path: "config.json"), to: directory.appending(path: "config.json"))
        let error = #expect(throws: FileError.self) { try BertFamily(directory: directory) }
        let text = error?.description ?? ""
        #expect(text.contains("modules.json: module 's.\(kind)' \(expected)"), "\(text)")
    }

    /// As sentence-transformers: before the tokenizer, whatever that does, and a length of its own before the
    /// tokenizer's.
    @Test func settingsOfTheEncoderComeFirst() throws {
        func ids(_ setting: String) throws -> [[Int]] {
            let directory = try encoder([
                "sentence_bert_config.json": "{\(setting)}",
                "tokenizer_config.json": #"{"do_lower_case": false, "model_max_length": 4}"#,
                "data.tsv": "GOOD film\t[SEP]\t0\na b c d e f\t\t0\n",
            ])
            defer { try? FileManager.default.removeItem(at: directory) }
            return try BertFamily(directory: directory)
                .task.dataset([directory.appending(path: "data.tsv")], limit: nil).examples
                .flatMap(\.sequences).map(\.ids)
        }
        // good 25, film 27, [UNK] 1, [SEP] 3, a and on 5...
        #expect(try ids("") == [[2, 1, 27, 3], [2, 3, 3], [2, 5, 6, 3], [2, 3]])
        #expect(try ids(#""do_lower_case": false"#) == ids(""))
        let lower = try ids(#""do_lower_case": true, "max_seq_length": 6"#)
        #expect(lower == [[2, 25, 27, 3], [2, 1, 1, 1, 3], [2, 5, 6, 7, 8, 3], [2, 3]])
    }

    @Test func otherModulesAndScoresAreRefused() throws {
        let directory = try encoder(["modules.json": #"[{"type": "s.Dense", "path": "2_Dense"}]"#])
        defer { try? FileManager.default.removeItem(at: directory) }
        let error = #expect(throws: FileError.self) { try BertFamily(directory: directory) }
        #expect(error?.description.contains("module 's.Dense' is not supported") == true)
        let plain = try encoder(["data.tsv": "a\tb\tnan\n"])
        defer { try? FileManager.default.removeItem(at: plain) }
        let family = try BertFamily(directory: plain)
        let wrong = #expect(throws: FileError.self) {
            try family.task.dataset([plain.appending(path: "data.tsv")], limit: nil)
        }
        #expect(wrong?.description.contains("line 1: 'nan' is no score") == true)
    }
}
