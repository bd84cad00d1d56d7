import BitplanModels
import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat
import TestSupport
import Testing

/// MarianMT with embeddings apart, M2M100, NLLB, mBART-50 and T5 against transformers' own classes with
/// random weights.
@Suite struct EncoderDecoderGoldenTests {
    private struct Goldens: Decodable {
        struct Sentence: Decodable {
            let source: String
            let source_ids: [Int]
            let target: String
            let target_ids: [Int]
            let greedy_ids: [Int]
            let greedy: String
            let beam4_ids: [Int]
            let padded4_ids: [Int]
            let early4_ids: [Int]
        }
        let max_length: Int
        let sentences: [Sentence]
    }

    @Test(arguments: EncoderDecoderModel.names)
    func goldens(_ name: String) throws {
        func run<F: ModelFamily>(_ family: F.Type) throws {
            let model = try Model<F>(directory: EncoderDecoderModel.directory(name))
            let network = try #require(try model.network() as? EncoderDecoderNetwork)
            let task = try #require(model.family.task as? Translation)
            try compare(name, network, task)
        }
        try run(EncoderDecoderModel.family(name))
    }

    private func goldens(of name: String) throws -> Goldens {
        try JSONDecoder().decode(
            Goldens.self,
            from: Data(contentsOf: EncoderDecoderModel.directory(name).appending(path: "goldens.json")))
    }

    private func compare(_ name: String, _ network: EncoderDecoderNetwork, _ task: Translation) throws {
        let directory = EncoderDecoderModel.directory(name)
        let goldens = try goldens(of: name)
        let tensors = try Safetensors(directory.appending(path: "goldens.safetensors"))
        var worst: (encoder: Float, logits: Float) = (0, 0)
        let files = try DataFiles(goldens.sentences.map(\.source), goldens.sentences.map(\.target))
        let data = try task.dataset(files.urls, limit: nil)
        for (index, sentence) in goldens.sentences.enumerated() {
            let example = data.examples[index]
            #expect(example.source == sentence.source_ids && example.target == sentence.target_ids)
            let state = network.state([example])
            let encoder = try tensors.floats("encoder_\(index)")
            let logits = try tensors.floats("logits_\(index)")
            let got = network.logits(network.outputs(state)).storage
            try #require(encoder.count == state.encoder.hidden.storage.count && logits.count == got.count)
            for (a, b) in zip(encoder, state.encoder.hidden.storage) {
                worst.encoder = max(worst.encoder, abs(a - b))
            }
            for (a, b) in zip(logits, got) { worst.logits = max(worst.logits, abs(a - b)) }
        }
        print("\(name), largest deviation from PyTorch:", worst)
        #expect(worst.encoder < 2e-3 && worst.logits < 2e-3)

        let sources = data.examples.map(\.source)
        #expect(network.generation.maximumLength == goldens.max_length && network.generation.beams == 4)
        #expect(network.greedy(sources) == goldens.sentences.map(\.greedy_ids))
        #expect(network.translate(sources) == goldens.sentences.map(\.beam4_ids), "beams as the files say")
        for (source, sentence) in zip(sources, goldens.sentences) {
            #expect(network.translate([source]) == [sentence.beam4_ids], "alone as in a batch")
        }
        #expect(
            network.translate(sources) == goldens.sentences.map(\.padded4_ids),
            "as the reference pads a batch")
        let texts = try task.run(
            network, lines: goldens.sentences.map(\.source), options: TaskOptions(batchSize: 3))
        #expect(texts == goldens.sentences.map(\.greedy))
    }

    /// Beams of one batch that stop as published T5s' do, the reference's shorter sources padded.
    @Test(arguments: EncoderDecoderModel.names)
    func beamsThatStopEarly(_ name: String) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.copyItem(at: EncoderDecoderModel.directory(name), to: directory)
        let file = directory.appending(path: "generation_config.json")
        let settings = try FileError.readObject(file).merging(
            ["early_stopping": true, "length_penalty": 2.0] as [String: Any]
        ) { $1 }
        try JSONSerialization.data(withJSONObject: settings).write(to: file)
        func run<F: ModelFamily>(_ family: F.Type) throws {
            let network = try #require(
                try Model<F>(directory: directory).network() as? EncoderDecoderNetwork)
            let sentences = try goldens(of: name).sentences
            #expect(Set(sentences.map(\.source_ids.count)).count > 1)
            #expect(
                network.translate(sentences.map(\.source_ids)) == sentences.map(\.early4_ids))
        }
        try run(EncoderDecoderModel.family(name))
    }

    /// A batch of sentences that are scored and those that are scored alone, and what a step with a cache
    /// sees of whole sequences.
    @Test(arguments: EncoderDecoderModel.names)
    func stepsAreWholeSequences(_ name: String) throws {
        func run<F: ModelFamily>(_ family: F.Type) throws {
            let model = try Model<F>(directory: EncoderDecoderModel.directory(name))
            let network = try #require(try model.network() as? EncoderDecoderNetwork)
            let examples: [EncoderDecoderNetwork.Example] = [
                .init(source: [7, 9, 4, 5], target: [8, 6, 9, 5, 4, 7, 3]),
                .init(source: [3], target: [5, 9]),
            ]
            let start = try #require(network.generation.startToken)
            for example in examples {
                let whole = network.logits(network.outputs(network.state([example])))
                var cache = network.read([example.source])
                for (place, token) in ([start] + example.target.dropLast()).enumerated() {
                    let step = network.step([token], &cache)
                    let deviation = zip(step.storage, whole[row: place]).reduce(0) {
                        max($0, abs($1.0 - $1.1))
                    }
                    #expect(deviation < 1e-4, "token \(place)")
                }
            }
            let together = network.outputs(network.state(examples))
            let alone = examples.flatMap { network.outputs(network.state([$0])).storage }
            #expect(together.storage == alone)
        }
        try run(EncoderDecoderModel.family(name))
    }

    @Test func sublayers() throws {
        func kinds<F: ModelFamily>(_ family: F.Type, _ name: String) throws -> [String] {
            try Model<F>(directory: EncoderDecoderModel.directory(name)).family.layout.sublayers
                .map(\.name.description)
        }
        #expect(
            try kinds(MBartFamily.self, "tiny-mbart50") == [
                "Emb", "Enc_pos", "Enc_ee.0", "Enc_ffn.0", "Enc_ee.1", "Enc_ffn.1", "Dec_pos", "Dec_dd.0",
                "Dec_ed.0", "Dec_ffn.0", "Dec_dd.1", "Dec_ed.1", "Dec_ffn.1",
            ])
        #expect(
            try kinds(T5Family.self, "tiny-t5") == [
                "Emb", "Enc_ee.0", "Enc_ffn.0", "Enc_ee.1", "Enc_ffn.1", "Enc_ee.2", "Enc_ffn.2", "Dec_dd.0",
                "Dec_ed.0", "Dec_ffn.0", "Dec_dd.1", "Dec_ed.1", "Dec_ffn.1",
            ])
        let apart = try MarianFamily(directory: EncoderDecoderModel.directory("marian-untied")).outline
        #expect(
            apart.tokenMatrices == [
                "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight",
            ])
        #expect(apart.tokenRows(.init(source: [3, 0], target: [5, 0])) == [[3, 0], [5, 0], [5, 0]])
    }

    /// Targets begin with the language that was chosen, else with that of the files.
    @Test func languages() throws {
        let directory = EncoderDecoderModel.directory("tiny-m2m100")
        let family = try M2M100Family(directory: directory)
        let other = try M2M100Family(directory: directory, TranslationLanguages(target: "fr"))
        #expect(family.outline.generation.forcedFirstToken == family.tokenizer.targetID)
        #expect(other.outline.generation.forcedFirstToken == other.tokenizer.targetID)
        #expect(other.tokenizer.targetID != family.tokenizer.targetID)
        #expect(other.chosenSettings == ["src_lang": "en", "tgt_lang": "fr"])
        let network = try Model<M2M100Family>(
            directory: directory, languages: TranslationLanguages(target: "fr")
        ).network()
        for beams in [1, 3] {
            #expect(network.translate([[5, 7, 2]], beams: beams)[0].first == other.tokenizer.targetID)
        }
        #expect(throws: DataError.languages(modelType: "t5")) {
            try T5Family(
                directory: EncoderDecoderModel.directory("tiny-t5"), TranslationLanguages(target: "fr"))
        }
    }
}

/// Lines of text as files, which go away with their owner.
private final class DataFiles {
    let urls: [URL]

    init(_ texts: [String]...) throws {
        urls = try texts.map { lines in
            let file = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
            try Data(lines.joined(separator: "\n").appending("\n").utf8).write(to: file)
            return file
        }
    }

    deinit { for url in urls { try? FileManager.default.removeItem(at: url) } }
}
