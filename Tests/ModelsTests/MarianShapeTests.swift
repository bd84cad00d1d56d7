import BitplanKernels
import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

/// MarianMT in shapes that no published model has, against transformers' own MarianMTModel with random
/// weights (Scripts/goldens/marian_shapes.py), and in the shape of OPUS-MT zh-en with its published
/// tokenizers.
@Suite struct MarianShapeTests {
    private struct Goldens: Decodable {
        struct Sentence: Decodable {
            let source_ids: [Int]
            let target_ids: [Int]
            let greedy_ids: [Int]
            let beam4_ids: [Int]
        }
        let max_length: Int
        let sentences: [Sentence]
    }

    /// A network without a tokenizer: configuration and weights alone.
    private func network(_ directory: URL, _ file: String) throws -> EncoderDecoderNetwork {
        let configuration = try BartConfiguration(MarianFamily.variant, directory: directory)
        let outline = try MarianFamily.network(configuration)
        let tensors = try Safetensors(directory.appending(path: file))
        var weights = WeightTable(matrices: [:], vectors: [:])
        for shape in outline.layout.sublayers.flatMap(\.matrices) {
            let stored =
                tensors.entries[shape.tensor] == nil && shape.tensor == "model.shared.weight"
                ? "model.encoder.embed_tokens.weight" : shape.tensor
            weights.matrices[shape.tensor] = DenseMatrix(
                try tensors.matrix(stored, rows: shape.rows, columns: shape.columns))
        }
        for (name, _) in outline.sublayers.vectors {
            weights.vectors[name] = try tensors.floats(name)
        }
        return try MarianFamily.network(configuration, weights)
    }

    @Test(arguments: [
        ("marian-relu-3-1", "model.safetensors"), ("marian-gelu-1-2", "model.safetensors"),
        ("marian-gelu-1-2", "model.f32.safetensors"),
    ])
    func oddShape(_ name: String, _ file: String) throws {
        let directory = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/\(name)")
        let network = try network(directory, file)
        let goldens = try JSONDecoder().decode(
            Goldens.self, from: Data(contentsOf: directory.appending(path: "goldens.json")))
        let tensors = try Safetensors(directory.appending(path: "goldens.safetensors"))
        var worst: (encoder: Float, logits: Float) = (0, 0)
        for (index, sentence) in goldens.sentences.enumerated() {
            let state = network.state([.init(source: sentence.source_ids, target: sentence.target_ids)])
            let encoder = try tensors.floats("encoder_\(index)")
            let logits = try tensors.floats("logits_\(index)")
            let got = network.logits(network.outputs(state)).storage
            try #require(encoder.count == state.encoder.hidden.storage.count && logits.count == got.count)
            for (a, b) in zip(encoder, state.encoder.hidden.storage) {
                worst.encoder = max(worst.encoder, abs(a - b))
            }
            for (a, b) in zip(logits, got) { worst.logits = max(worst.logits, abs(a - b)) }
        }
        print("\(name) (\(file)), largest deviation from PyTorch:", worst)
        #expect(worst.encoder < 2e-3 && worst.logits < 2e-3)

        let sources = goldens.sentences.map(\.source_ids)
        let generation = network.generation
        #expect(generation.maximumLength == goldens.max_length && generation.beams == 4)
        #expect(generation.bannedTokens == [generation.padToken] && generation.forcedEndToken == 0)
        #expect(network.greedy(sources) == goldens.sentences.map(\.greedy_ids))
        #expect(
            network.translate(sources) == goldens.sentences.map(\.beam4_ids),
            "beams as the configuration says")
        #expect(network.translate(sources, beams: 1) == goldens.sentences.map(\.greedy_ids))
        for (source, sentence) in zip(sources, goldens.sentences) {
            #expect(network.translate([source], beams: 4) == [sentence.beam4_ids], "alone as in a batch")
        }
    }

    @Test func settingsAreReadAsPublished() throws {
        func read(_ name: String) throws -> BartConfiguration {
            try BartConfiguration(
                MarianFamily.variant,
                directory: TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/\(name)"))
        }
        let relu = try read("marian-relu-3-1")
        #expect(relu.activation == .relu && relu.scalesEmbeddings && relu.maximumPositions == 40)
        #expect(relu.encoderHeads == 8 && relu.decoderHeads == 4 && relu.sourceVocabularySize == 97)
        #expect(
            relu.generation.lengthPenalty == 1 && !relu.generation.stopsEarly && !relu.generation.renormalizes
        )
        let gelu = try read("marian-gelu-1-2")
        #expect(gelu.activation == .gelu && !gelu.scalesEmbeddings && gelu.width == 33)
        #expect(
            gelu.generation.lengthPenalty == 0.6 && gelu.generation.stopsEarly && gelu.generation.renormalizes
        )
    }

    private static let published = FileManager.default.homeDirectoryForCurrentUser
        .appending(path: ".cache/bitplan-models/zh-en")
    private static let goldens = "models/opus-mt-zh-en-shape/goldens"
    private static let hasPublished =
        FileManager.default.fileExists(atPath: published.appending(path: "model.safetensors").path)
        && TestFiles.hasShared(goldens)

    @Test(
        .enabled(
            if: hasPublished,
            "needs ~/.cache/bitplan-models/zh-en (made by ../shared/tools/make_shape_model.py) and ../shared/models"
        ))
    func publishedShape() throws {
        let model = try Model<MarianFamily>(directory: Self.published)
        let goldens = try MarianGoldens(TestFiles.shared.appending(path: Self.goldens))
        #expect(model.layout.parameterCount > 77_000_000)
        for sentence in goldens.file.sentences {
            #expect(model.family.tokenizer.encodeSource(sentence.source) == sentence.source_ids)
            #expect(try model.family.tokenizer.encodeTarget(sentence.reference) == sentence.reference_ids)
        }
        let network = try model.network()
        let deviation = try goldens.largestDeviation(network)
        print("zh-en shape, largest deviation from PyTorch:", deviation)
        #expect(deviation.encoder < 2e-3 && deviation.logits < 2e-3 && deviation.logSumExp < 2e-3)
        #expect(abs(goldens.crossEntropy(network) - goldens.file.cross_entropy_per_token) < 1e-4)
        let greedy = network.greedy(
            goldens.file.sentences.map(\.source_ids), maximumLength: goldens.file.max_length)
        for (ids, sentence) in zip(greedy, goldens.file.sentences) {
            #expect(ids == sentence.greedy_ids, "\(sentence.source)")
            #expect(model.family.tokenizer.decode(ids) == sentence.greedy)
        }
        let beamed = goldens.file.sentences.filter { $0.beam4_ids != nil }
        #expect(
            network.translate(beamed.map(\.source_ids), beams: 4, maximumLength: goldens.file.max_length)
                == beamed.compactMap(\.beam4_ids))
    }
}
