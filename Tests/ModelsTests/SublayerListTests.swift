import BitplanKernels
import BitplanModels
import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat
import TestSupport
import Testing

/// What follows from the list of sublayers: steps with a cache, shared states, names of weights.
@Suite struct SublayerListTests {
    private static let translation = TestFiles.root.appending(path: "Fixtures/tatoeba-en-de")
    private static let tiny = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens")

    private func largest(_ a: some Collection<Float>, _ b: some Collection<Float>) -> Float {
        #expect(a.count == b.count)
        return zip(a, b).map { abs($0 - $1) }.max() ?? 0
    }

    /// One token at a time with a cache, and all tokens at once: the same scores.
    @Test func stepsOfADecoderAloneScoreAsWholeSequences() throws {
        let network = try Model<LlamaFamily>(directory: Self.tiny.appending(path: "tiny-llama")).network()
        let ids = [5, 11, 3, 7, 19, 2, 23, 4]
        let whole = network.logits(
            network.outputs(network.state([.init(tokens: ids + [0], scored: ids.count)])))
        for prompt in [1, 3, 7] {
            var (logits, cache) = network.read([Array(ids.prefix(prompt))])
            for position in prompt..<ids.count {
                #expect(largest(logits[row: 0], whole[row: position - 1]) < 1e-4, "prompt of \(prompt)")
                logits = network.step([ids[position]], &cache)
            }
            #expect(largest(logits[row: 0], whole[row: ids.count - 1]) < 1e-4, "prompt of \(prompt)")
        }
    }

    @Test func stepsBehindAnEncoderScoreAsWholeSequences() throws {
        let network = try Model<MarianFamily>(directory: Self.translation).network()
        let pairs: [([Int], [Int])] = [([9, 40, 7, 0], [30, 8, 11, 0]), ([21, 0], [5, 6, 7, 0])]
        let whole = network.logits(
            network.outputs(network.state(pairs.map { .init(source: $0.0, target: $0.1) })))
        var cache = network.read(pairs.map(\.0))
        let start = try #require(network.generation.startToken)
        var tokens = pairs.map { _ in start }
        for position in 0..<4 {
            let logits = network.step(tokens, &cache)
            for row in pairs.indices {
                #expect(largest(logits[row: row], whole[row: 4 * row + position]) < 1e-4)
            }
            tokens = pairs.map { $0.1[position] }
        }
    }

    /// What probes share is what they would compute themselves, bit for bit; with other matrices before it
    /// nothing is shared.
    @Test func sharedStatesGiveTheSameOutputs() throws {
        let network = try Model<MarianFamily>(directory: Self.translation).network()
        let examples = [EncoderDecoderNetwork.Example(source: [9, 40, 7, 0], target: [30, 8, 11, 0])]
        let plain = network.outputs(network.state(examples))
        let end = network.layout.sublayers.count
        for index in 1..<end {
            let shared = network.sharing(network.state(examples, before: index), before: index)
            #expect(network.outputs(network.advance(shared, from: index, to: end)) == plain)
        }
        let first = try #require(network.layout.sublayers.first { $0.name.kind == .decoderSelfAttention })
        let matrix = try #require(first.matrices.first)
        let other = try network.replacing([
            matrix.tensor: DenseMatrix(Matrix(rows: matrix.rows, columns: matrix.columns))
        ])
        let shared = network.sharing(network.state(examples, before: 1), before: 1)
        #expect(
            other.outputs(other.advance(shared, from: 1, to: end)) == other.outputs(other.state(examples)))
    }

    /// Matrices are listed in the order in which they are multiplied: what the first of some is multiplied
    /// with does not depend on it and those behind it, which need not be computed for it.
    @Test(arguments: [
        "tiny-llama", "kin/bitnet", "kin/gemma2", "kin/gemma3_text", "kin/qwen3", "kin/smollm3", "tiny-bert",
        "kin/distilbert", "kin/electra", "kin/roberta", "marian-untied", "tiny-m2m100", "tiny-mbart50",
        "tiny-t5", "tiny-t5-v1_1", "fixture marian-native",
    ])
    func matricesAreListedInOrder(_ name: String) throws {
        func check<Net: Network>(_ network: Net, _ examples: [Net.Example]) throws {
            var seen = 0
            for (index, sublayer) in network.layout.sublayers.enumerated().dropFirst() {
                let state = network.state(examples, before: index)
                func input(_ tensor: String, free: ArraySlice<MatrixShape>) throws -> Matrix? {
                    var matrices: [String: any LinearOperator] = [:]
                    for shape in free {
                        matrices[shape.tensor] = FreeOperator(rows: shape.rows, columns: shape.columns)
                    }
                    var found: Matrix?
                    let observer = ForwardObserver { name, x in if name == tensor { found = x } }
                    _ = try network.replacing(matrices).advance(state, through: index, observing: observer)
                    return found
                }
                for (place, shape) in sublayer.matrices.enumerated() {
                    let free = try input(shape.tensor, free: sublayer.matrices[place...])
                    #expect(try free == input(shape.tensor, free: []), "\(shape.tensor)")
                    seen += free == nil ? 0 : 1
                }
            }
            #expect(seen > 4, "\(seen) inputs seen")
        }
        func network<Family: ModelFamily>(_ family: Family.Type) throws -> Family.Net {
            let fixture = TestFiles.root.appending(path: "Fixtures/marian-native")
            return try Model<Family>(
                directory: name.hasPrefix("fixture") ? fixture : Self.tiny.appending(path: name)
            ).network()
        }
        let tokens = [5, 11, 3, 7, 19, 2]
        let pair = EncoderDecoderNetwork.Example(source: tokens, target: [8, 4, 9, 2])
        switch name {
        case "fixture marian-native": try check(network(MarianNativeFamily.self), [pair])
        case _ where name.hasPrefix("marian"): try check(network(MarianFamily.self), [pair])
        case _ where name.hasPrefix("tiny-t5"): try check(network(T5Family.self), [pair])
        case "tiny-m2m100": try check(network(M2M100Family.self), [pair])
        case "tiny-mbart50": try check(network(MBartFamily.self), [pair])
        case "tiny-bert", "kin/distilbert", "kin/electra", "kin/roberta":
            try check(
                network(BertFamily.self),
                [.init([TokenSequence(ids: tokens, typeIDs: tokens.map { _ in 0 })])])
        default: try check(network(LlamaFamily.self), [.init(tokens: tokens, scored: 5)])
        }
    }

    /// Every sublayer has names of its own, and a network lacks none of them.
    @Test(arguments: ["tiny-llama", "tiny-bert", "kin/qwen3", "kin/electra", "kin/distilbert", "kin/roberta"])
    func everyWeightIsReadByOneSublayer(_ name: String) throws {
        func check<Family: ModelFamily>(_ family: Family.Type) throws {
            let model = try Model<Family>(directory: Self.tiny.appending(path: name))
            let network = try model.network()
            let matrices = model.layout.sublayers.flatMap(\.matrices).map(\.tensor)
            let vectors = model.family.vectors.map(\.name)
            #expect(Set(matrices + vectors).count == matrices.count + vectors.count)
            #expect(Set(matrices) == Set(network.weights.matrices.keys))
            #expect(Set(vectors) == Set(network.weights.vectors.keys))
            for tensor in matrices + vectors {
                var weights = network.weights
                weights.matrices[tensor] = nil
                weights.vectors[tensor] = nil
                let error = #expect(throws: MissingWeight.self) { try model.family.network(weights) }
                #expect(error?.name == tensor)
            }
        }
        if ["tiny-llama", "kin/qwen3"].contains(name) {
            try check(LlamaFamily.self)
        } else {
            try check(BertFamily.self)
        }
    }
}
