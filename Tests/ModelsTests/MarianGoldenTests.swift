import BitplanKernels
import BitplanMetrics
import BitplanModels
import BitplanTensors
import Foundation
import TestSupport
import Testing

/// Reference outputs of PyTorch and transformers for a MarianMT directory, as `make_goldens.py` writes them.
struct MarianGoldens {
    struct File: Decodable {
        struct Score: Decodable { let bleu: Double }
        struct Sentence: Decodable {
            let source: String
            let reference: String
            let source_ids: [Int]
            let reference_ids: [Int]
            let greedy_ids: [Int]
            let greedy: String
            let beam4_ids: [Int]?
            let beam4: String?
            let cross_entropy: Double
        }
        let max_length: Int
        let greedy: Score
        let cross_entropy_per_token: Double
        let sentences: [Sentence]
    }

    let file: File
    let tensors: Safetensors

    init(_ directory: URL) throws {
        file = try JSONDecoder().decode(
            File.self, from: Data(contentsOf: directory.appending(path: "goldens.json")))
        tensors = try Safetensors(directory.appending(path: "goldens.safetensors"))
    }

    var examples: [EncoderDecoderNetwork.Example] {
        file.sentences.map { .init(source: $0.source_ids, target: $0.reference_ids) }
    }

    /// Encoder states, top logits and log-sum-exp of the first sentences; returns the largest deviation from
    /// PyTorch.
    func largestDeviation(_ network: EncoderDecoderNetwork) throws -> (
        encoder: Float, logits: Float, logSumExp: Float
    ) {
        var worst: (encoder: Float, logits: Float, logSumExp: Float) = (0, 0, 0)
        for index in 0..<4 where tensors.entries["encoder_\(index)"] != nil {
            let state = network.state([examples[index]])
            let encoder = try tensors.floats("encoder_\(index)")
            #expect(encoder.count == state.encoder.hidden.storage.count)
            for (a, b) in zip(encoder, state.encoder.hidden.storage) {
                worst.encoder = max(worst.encoder, abs(a - b))
            }
            let logits = network.logits(network.outputs(state))
            let values = try tensors.floats("topk_values_\(index)")
            let ids = try tensors.bytes("topk_ids_\(index)").withUnsafeBytes { raw in
                (0..<raw.count / 4).map { Int(raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
            }
            let perRow = ids.count / logits.rows
            for (place, id) in ids.enumerated() {
                worst.logits = max(worst.logits, abs(logits[place / perRow, id] - values[place]))
            }
            for (row, expected) in try tensors.floats("logsumexp_\(index)").enumerated() {
                let got = logits[row: row].withUnsafeBufferPointer {
                    logSumExp($0.baseAddress!, count: $0.count)
                }
                worst.logSumExp = max(worst.logSumExp, abs(got - expected))
            }
        }
        return worst
    }

    /// Mean cross-entropy of the references per token, in nats.
    func crossEntropy(_ network: EncoderDecoderNetwork) -> Double {
        var nats = 0.0
        var tokens = 0
        for start in stride(from: 0, to: examples.count, by: 16) {
            let batch = Array(examples[start..<min(start + 16, examples.count)])
            let logits = network.logits(network.outputs(network.state(batch)))
            for (row, target) in batch.flatMap(\.target).enumerated() {
                nats += LogLikelihood.crossEntropy(logits[row: row], target: target)
                tokens += 1
            }
        }
        return nats / Double(tokens)
    }
}

@Suite struct MarianGoldenTests {
    private static let fixture = TestFiles.root.appending(path: "Fixtures/tatoeba-en-de")

    /// The fixture against PyTorch: tokens, states, logits, losses, translations.
    @Test func tatoeba() throws {
        let model = try Model<MarianFamily>(directory: Self.fixture)
        let network = try model.network()
        let goldens = try MarianGoldens(
            TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tatoeba-en-de"))
        for sentence in goldens.file.sentences {
            #expect(model.family.tokenizer.encodeSource(sentence.source) == sentence.source_ids)
            #expect(try model.family.tokenizer.encodeTarget(sentence.reference) == sentence.reference_ids)
        }
        let deviation = try goldens.largestDeviation(network)
        print("tatoeba-en-de, largest deviation from PyTorch:", deviation)
        #expect(deviation.encoder < 2e-3 && deviation.logits < 2e-3 && deviation.logSumExp < 2e-3)
        let crossEntropy = goldens.crossEntropy(network)
        #expect(abs(crossEntropy - goldens.file.cross_entropy_per_token) < 1e-5)

        let sources = goldens.file.sentences.map(\.source_ids)
        let greedy = network.greedy(sources, maximumLength: goldens.file.max_length)
        let equal = zip(greedy, goldens.file.sentences).filter { $0 == $1.greedy_ids }.count
        print("greedy equal: \(equal) of \(sources.count)")
        #expect(equal * 100 >= 99 * sources.count)
        let texts = greedy.map { model.family.tokenizer.decode($0) }
        let bleu = try BLEU().corpusScore(
            hypotheses: texts, references: goldens.file.sentences.map(\.reference))
        #expect(abs(bleu - goldens.file.greedy.bleu) < 0.1)

        let beamed = goldens.file.sentences.filter { $0.beam4_ids != nil }
        let beam = network.translate(
            beamed.map(\.source_ids), beams: 4, maximumLength: goldens.file.max_length)
        let equalBeams = zip(beam, beamed).filter { $0 == $1.beam4_ids }.count
        print("beam 4 equal: \(equalBeams) of \(beamed.count)")
        #expect(equalBeams * 100 >= 99 * beamed.count)
    }

    @Test func batchesDoNotMatter() throws {
        let model = try Model<MarianFamily>(directory: Self.fixture)
        let files = ["en", "de"].map { TestFiles.root.appending(path: "Fixtures/data/plan.\($0)") }
        let network = try model.network()
        let examples = try model.family.task.dataset(files, limit: 7).examples
        let together = network.outputs(network.state(examples))
        let alone = examples.flatMap { network.outputs(network.state([$0])).storage }
        #expect(together.rows > 7 && together.storage == alone)
    }
}
