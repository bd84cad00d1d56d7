import BitplanModels
import BitplanTensors
import BitplanTokenizers
import Foundation
import TestSupport
import Testing

/// Random models of BERT's kin against transformers, as `Scripts/goldens/kin.py` writes them: three classes
/// by RoBERTa, labels by XLM-R, two classes by ELECTRA, a number by DistilBERT.
@Suite struct BertKinTests {
    private struct Row: Decodable {
        let texts: [String]
        let ids: [Int]
        let types: [Int]
        let logits: [Float]
    }

    static let directory = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/kin")
    static let names = ["distilbert", "electra", "roberta", "xlm-roberta"]

    private func rows(_ name: String) throws -> [Row] {
        try JSONDecoder().decode(
            [Row].self,
            from: Data(contentsOf: Self.directory.appending(path: name).appending(path: "goldens.json")))
    }

    private func difference(_ a: [Float], _ b: [Float]) -> Float {
        #expect(a.count == b.count)
        return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }

    @Test(arguments: names)
    func tokensStatesAndScores(_ name: String) throws {
        let directory = Self.directory.appending(path: name)
        let model = try Model<BertFamily>(directory: directory)
        let network = try model.network()
        #expect(model.family.type == name)
        let projection = name == "electra" ? ["Proj"] : []
        #expect(
            model.family.layout.sublayers.map(\.name.description) == ["Emb", "Pos"] + projection + [
                "Attention.0", "FFN.0", "Attention.1", "FFN.1", "Pooler", "Head",
            ])
        let tensors = try Safetensors(directory.appending(path: "goldens.safetensors"))
        var (states, scores): (Float, Float) = (0, 0)
        for (index, row) in try rows(name).enumerated() {
            let sequence = model.family.tokenizer.encode(
                row.texts[0], pairedWith: row.texts.dropFirst().first,
                maximumLength: model.family.configuration.maximumLength)
            #expect(sequence.ids == row.ids, "\(row.texts)")
            #expect(sequence.typeIDs == row.types || model.family.configuration.types == 1, "\(row.texts)")
            let example = EncoderNetwork.Example([sequence])
            for layer in 0...2 where tensors.entries["hidden_\(index)_\(layer)"] != nil {
                let state = network.state([example], before: 2 + projection.count + 2 * layer)
                states = max(
                    states,
                    difference(
                        try tensors.floats("hidden_\(index)_\(layer)"), state.encoder.hidden.storage))
            }
            let state = network.state([example])
            let head =
                ["roberta", "electra"].contains(name)
                ? network.logits(network.outputs(state)) : network.vectors(state)
            scores = max(scores, difference(row.logits, head.storage))
        }
        print("\(name), largest deviation from PyTorch: states \(states), scores \(scores)")
        #expect(states < 2e-3 && scores < 2e-3)
    }

    private func temporary(_ text: String, _ body: (URL) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString).tsv")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(text.utf8).write(to: file)
        try body(file)
    }

    /// A number for a text or a pair: correlations, and KL that is half the squared difference.
    @Test func regression() throws {
        let model = try Model<BertFamily>(directory: Self.directory.appending(path: "distilbert"))
        let network = try model.network()
        #expect(model.family.configuration.task == .regression)
        let rows = try rows("distilbert")
        let lines = rows.map { $0.texts.joined(separator: "\t") }
        let answers = try model.family.task.run(network, lines: lines, options: TaskOptions())
        for (answer, row) in zip(answers, rows) {
            #expect(abs((Float(answer) ?? .infinity) - row.logits[0]) < 2e-4, "\(row.texts): \(answer)")
        }
        try temporary("good film\t1\nnot bad\tbad film\t2.5\na b\t-1\n") { file in
            let data = try model.family.task.dataset([file], limit: nil, windows: nil)
            let score = try model.family.task.score(network, on: data, options: TaskOptions())
            #expect(score.values.map(\.name) == ["spearman", "pearson"])
            #expect(network.targets(data.examples[0]) == [nil])
        }
        try temporary("good film\tgreat\n") { file in
            let error = #expect(throws: FileError.self) {
                try model.family.task.dataset([file], limit: nil, windows: nil)
            }
            #expect(error?.description.contains("line 1: 'great' is no score") == true)
        }
        for (a, b) in [(0.25, 1.75), (-20.5, -22), (4.125, 4.25)] as [(Float, Float)] {
            func logProbabilities(_ x: Float) -> [Double] {
                let scores = network.logits(Matrix(rows: 1, columns: 1, storage: [x])).storage.map(
                    Double.init)
                let top = scores.max() ?? 0
                let sum = scores.reduce(0) { $0 + exp($1 - top) }
                return scores.map { $0 - top - log(sum) }
            }
            let kl = zip(logProbabilities(a), logProbabilities(b)).reduce(0) {
                $0 + exp($1.0) * ($1.0 - $1.1)
            }
            #expect(abs(kl - Double((a - b) * (a - b)) / 2) < 1e-4, "\(a), \(b): \(kl)")
        }
    }

    /// Labels that hold each by itself: names and numbers, none, and a metric over all of them.
    @Test func labels() throws {
        let model = try Model<BertFamily>(directory: Self.directory.appending(path: "xlm-roberta"))
        let network = try model.network()
        #expect(model.family.configuration.task == .labelling(labels: ["toxic", "rude", "kind", "long"]))
        let rows = try rows("xlm-roberta")
        let answers = try model.family.task.run(
            network, lines: rows.map { $0.texts.joined(separator: "\t") }, options: TaskOptions())
        for (answer, row) in zip(answers, rows) {
            let names = zip(["toxic", "rude", "kind", "long"], row.logits).filter { $0.1 > 0 }
            let shown = names.isEmpty ? [row.logits.max() ?? 0] : names.map(\.1)
            let columns = answer.split(separator: "\t").map(String.init)
            #expect(columns[0] == (names.isEmpty ? "-" : names.map(\.0).joined(separator: ",")))
            let odds = columns[1].split(separator: ",").compactMap { Double($0) }
            #expect(odds.count == shown.count)
            for (got, logit) in zip(odds, shown) { #expect(abs(got - 1 / (1 + exp(-Double(logit)))) < 2e-4) }
        }
        // The model's own answers are all right, and one wrong label is one wrong text.
        let own = zip(rows, answers).map { row, answer in
            row.texts.joined(separator: "\t") + "\t" + answer.split(separator: "\t")[0]
        }
        try temporary(own.joined(separator: "\n")) { file in
            let data = try model.family.task.dataset([file], limit: nil, windows: nil)
            #expect(network.targets(data.examples[0]).count == 4)
            let score = try model.family.task.score(network, on: data, options: TaskOptions())
            #expect(score.values.map(\.name) == ["accuracy", "f1"] && score.values.map(\.value) == [1, 1])
        }
        let first = rows[0].logits.map { $0 > 0 }
        let flipped = first.indices.filter { $0 == 0 ? !first[$0] : first[$0] }.map(String.init)
        try temporary("\(rows[0].texts[0])\t\(flipped.isEmpty ? "-" : flipped.joined(separator: ","))\n") {
            file in
            let data = try model.family.task.dataset([file], limit: nil, windows: nil)
            let score = try model.family.task.score(network, on: data, options: TaskOptions())
            let both = Double(zip(first, data.examples[0].marks ?? []).count { $0 && $1 })
            let either = Double(first.count { $0 } + (data.examples[0].marks ?? []).count { $0 })
            #expect(score.values[0].value == 0)
            #expect(abs(score.values[1].value - (either == 0 ? 0 : 2 * both / either)) < 1e-12)
        }
        for (line, message) in [
            ("a\tunkind", "line 1: 'unkind' is no label"), ("a\t0,,1", "'' is no label"),
            ("a\t4", "'4' is no label"),
        ] {
            try temporary(line + "\n") { file in
                let error = #expect(throws: FileError.self) {
                    try model.family.task.dataset([file], limit: nil, windows: nil)
                }
                #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
            }
        }
    }

    /// Opens a copy with these settings changed and without a file; `null` takes a key away.
    @discardableResult
    private func open<Value>(
        _ name: String, _ change: String, without missing: String? = nil,
        _ body: (Model<BertFamily>) throws -> Value
    ) throws -> Value {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.copyItem(at: Self.directory.appending(path: name), to: directory)
        let file = directory.appending(path: "config.json")
        var settings = try FileError.readObject(file)
        let changed = try JSONSerialization.jsonObject(with: Data("{\(change)}".utf8))
        settings.merge(try #require(changed as? [String: Any])) { $1 }
        try JSONSerialization.data(withJSONObject: settings.filter { !($0.value is NSNull) }).write(to: file)
        if let missing { try FileManager.default.removeItem(at: directory.appending(path: missing)) }
        return try body(try Model<BertFamily>(directory: directory))
    }

    private func family(_ name: String, _ change: String) throws -> BertFamily {
        try open(name, change) { $0.family }
    }

    /// The encoder alone: tensors found behind the family's prefix, a vector of the mean of the states.
    @Test(arguments: [
        ("distilbert", "DistilBertModel"), ("electra", "ElectraModel"), ("roberta", "RobertaModel"),
        ("xlm-roberta", "XLMRobertaModel"),
    ])
    func sentenceEncoders(_ name: String, _ architecture: String) throws {
        let classifier = try Model<BertFamily>(directory: Self.directory.appending(path: name))
        let row = try rows(name)[0]
        let example = EncoderNetwork.Example([TokenSequence(ids: row.ids, typeIDs: row.types)])
        let network = try open(name, #""architectures": ["\#(architecture)"]"#) { model in
            #expect(model.family.configuration.task == .embedding(pooling: .mean, isNormalized: false))
            return try model.network()
        }
        let end = network.layout.sublayers.count
        let expected = try classifier.network().state([example], before: end).encoder.hidden
        #expect(network.state([example]).encoder.hidden.storage == expected.storage)
        #expect(network.vectors(network.state([example])).rows == 1)
    }

    @Test func usualSettings() throws {
        let roberta = try family("roberta", "")
        #expect(roberta.configuration.maximumPositions == 19 && roberta.configuration.maximumLength == 19)
        #expect(try family("roberta", #""pad_token_id": null"#).configuration.paddingToken == 1)
        let electra = try family("electra", #""problem_type": null"#)
        #expect(electra.configuration.task == .classification(labels: ["no", "yes"]))
        #expect(try family("distilbert", #""problem_type": null"#).configuration.task == .regression)
        #expect(try family("distilbert", "").layerStack?.prefix == "transformer.layer.")
    }

    @Test(arguments: [
        ("roberta", #""pad_token_id": 20"#, "'pad_token_id': expected 0 to 19"),
        ("roberta", #""pad_token_id": -1"#, "'pad_token_id': expected 0 to 19"),
        ("roberta", #""max_position_embeddings": 4"#, "'max_position_embeddings': expected at least 6"),
        ("roberta", #""position_embedding_type": "relative_key""#, "'relative_key' is not supported"),
        ("roberta", #""architectures": ["RobertaForMaskedLM"]"#, "'RobertaForMaskedLM' is not supported"),
        ("roberta", #""vocab_size": 100"#, "config.json says vocab_size 100"),
        ("roberta", #""vocab_size": 269"#, "expected shape [269, 20], got "),
        ("xlm-roberta", #""problem_type": "ranking""#, "problem_type 'ranking' is not supported"),
        (
            "xlm-roberta", #""problem_type": "regression""#,
            "problem_type 'regression' with 4 classes is not supported: expected 1"
        ),
        (
            "distilbert", #""problem_type": "single_label_classification""#,
            "with 1 class is not supported: expected at least 2"
        ),
        ("distilbert", #""n_heads": 3"#, "dim 20 is not a multiple of n_heads 3"),
        ("distilbert", #""dim": null"#, "'dim' is missing"),
        ("distilbert", #""dim": 25"#, "expected shape [34, 25]"),
        ("electra", #""embedding_size": 10"#, "expected shape [34, 10], got [34, 12]"),
        ("electra", #""embedding_size": 20"#, "expected shape [34, 20], got [34, 12]"),
        (
            "electra", #""architectures": ["ElectraForPreTraining"]"#,
            "'ElectraForPreTraining' is not supported: expected ElectraForSequenceClassification or ElectraModel"
        ),
        (
            "electra", #""model_type": "albert""#,
            "model_type 'albert' is not supported here: expected one of bert, distilbert, electra, roberta, xlm-roberta"
        ),
    ])
    func unsupportedConfigurations(_ name: String, _ change: String, _ expected: String) throws {
        let error = #expect(throws: FileError.self) { try family(name, change) }
        let text = error?.description ?? ""
        #expect(text.contains(expected) && !text.contains("\n"), "\(text)")
    }

    @Test(arguments: [
        ("roberta", "tokenizer.json", "tokenizer.json: cannot be read: no such file"),
        ("electra", "vocab.txt", "vocab.txt: cannot be read: no such file"),
        ("xlm-roberta", "model.safetensors", "no weights: expected model.safetensors"),
        ("distilbert", "config.json", "config.json"),
    ])
    func missingFiles(_ name: String, _ file: String, _ expected: String) throws {
        let error = #expect(throws: (any Error).self) {
            try open(name, "", without: file) { _ in }
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains(expected) && !text.contains("\n"), "\(text)")
    }
}
