import BitplanKernels
import BitplanTensors
import Foundation
import PlanFormat

/// A MarianMT encoder-decoder: post-norm layers, static sinusoids, one embedding for source, target and output.
///
/// - Source: Junczys-Dowmunt et al. 2018 (Marian); Vaswani et al. 2017.
package struct MarianNetwork: Network {
    /// A sentence pair as token ids, both ending with the end symbol.
    package struct Example: Sendable, Equatable {
        /// Source token ids.
        package let source: [Int]
        /// Target token ids.
        package let target: [Int]

        /// A pair of token sequences.
        package init(source: [Int], target: [Int]) {
            self.source = source
            self.target = target
        }
    }

    /// Activations of both stacks; the decoder's wait at the embedding while the encoder runs.
    package struct State: Sendable {
        /// (source tokens, width).
        package var encoder: Matrix
        /// (target tokens, width).
        package var decoder: Matrix
        /// Where each source lies in `encoder`.
        package let sources: SequenceOffsets
        /// Where each target lies in `decoder`.
        package let targets: SequenceOffsets
        /// What the decoder's layers read of the sources, where that is known.
        var memories: [Attention.Memory] = []
        /// The decoder's activations behind its first attention, where they are known before the encoder has run.
        var attended: (attention: Attention, decoder: Matrix)?
    }

    /// The model's shape and how it generates.
    package let configuration: MarianConfiguration
    /// `Emb`, the encoder's sublayers, the decoder's.
    package let layout: ModelLayout
    /// Matrices and vectors, by name.
    package let weights: WeightTable
    let embedding: any LinearOperator
    /// `final_logits_bias`; nil where it is all zeros, as it is in most models.
    let outputBias: [Float]?
    let encoder: [EncoderLayer]
    let decoder: [DecoderLayer]
    private let positions: Sinusoids

    struct EncoderLayer: Sendable {
        let attention: Attention
        let attentionNorm: LayerNorm
        let feedForward: FeedForward
        let feedForwardNorm: LayerNorm
    }

    struct DecoderLayer: Sendable {
        let selfAttention: Attention
        let selfAttentionNorm: LayerNorm
        let crossAttention: Attention
        let crossAttentionNorm: LayerNorm
        let feedForward: FeedForward
        let feedForwardNorm: LayerNorm
    }

    static let embeddingName = "model.shared.weight"
    static let normEpsilon: Float = 1e-5

    /// A network over `weights`, which must have every tensor that `MarianNetwork.layout` and `vectors` name.
    package init(_ configuration: MarianConfiguration, _ weights: WeightTable) throws(MissingWeight) {
        self.configuration = configuration
        self.weights = weights
        layout = MarianNetwork.layout(configuration)
        embedding = try weights.matrix(MarianNetwork.embeddingName)
        let bias = try weights.vector("final_logits_bias")
        outputBias = bias.contains { $0 != 0 } ? bias : nil
        func norm(_ name: String) throws(MissingWeight) -> LayerNorm {
            try LayerNorm(name, epsilon: MarianNetwork.normEpsilon, weights)
        }
        var encoder: [EncoderLayer] = []
        for depth in 0..<configuration.encoderLayers {
            let name = "model.encoder.layers.\(depth)"
            encoder.append(
                EncoderLayer(
                    attention: try Attention(name + ".self_attn", heads: configuration.encoderHeads, weights),
                    attentionNorm: try norm(name + ".self_attn_layer_norm"),
                    feedForward: try FeedForward(name, activation: configuration.activation, weights),
                    feedForwardNorm: try norm(name + ".final_layer_norm")))
        }
        var decoder: [DecoderLayer] = []
        for depth in 0..<configuration.decoderLayers {
            let name = "model.decoder.layers.\(depth)"
            decoder.append(
                DecoderLayer(
                    selfAttention: try Attention(
                        name + ".self_attn", heads: configuration.decoderHeads, weights),
                    selfAttentionNorm: try norm(name + ".self_attn_layer_norm"),
                    crossAttention: try Attention(
                        name + ".encoder_attn", heads: configuration.decoderHeads, weights),
                    crossAttentionNorm: try norm(name + ".encoder_attn_layer_norm"),
                    feedForward: try FeedForward(name, activation: configuration.activation, weights),
                    feedForwardNorm: try norm(name + ".final_layer_norm")))
        }
        self.encoder = encoder
        self.decoder = decoder
        positions = Sinusoids(width: configuration.width)
    }

    /// The same network over other matrices.
    package func replacing(_ matrices: [String: any LinearOperator]) throws -> MarianNetwork {
        try MarianNetwork(configuration, weights.replacing(matrices))
    }

    // MARK: The chain of sublayers

    /// Embeds sources, and targets behind the start symbol.
    package func start(_ examples: [Example]) -> State {
        let sources = SequenceOffsets(lengths: examples.map(\.source.count))
        let targets = SequenceOffsets(lengths: examples.map(\.target.count))
        let start = configuration.generation.startToken
        return State(
            encoder: embed(examples.map(\.source), sources),
            decoder: embed(examples.map { [start] + $0.target.dropLast() }, targets),
            sources: sources, targets: targets)
    }

    /// Runs one sublayer of the encoder or the decoder, its residual and its LayerNorm.
    package func advance(_ state: State, through index: Int, observing: Observer?) -> State {
        var state = state
        let inEncoder = index - 1
        if inEncoder < 2 * encoder.count {
            let layer = encoder[inEncoder / 2]
            if inEncoder % 2 == 0 {
                let y = layer.attention(
                    state.encoder, state.sources, causal: false, observing: observing)
                state.encoder.add(y)
                layer.attentionNorm.apply(&state.encoder)
            } else {
                state.encoder.add(layer.feedForward(state.encoder, observing: observing))
                layer.feedForwardNorm.apply(&state.encoder)
            }
            return state
        }
        let inDecoder = inEncoder - 2 * encoder.count
        let layer = decoder[inDecoder / 3]
        switch inDecoder % 3 {
        case 0:
            if inDecoder == 0, observing == nil, let known = state.attended,
                known.attention.hasWeights(of: layer.selfAttention)
            {
                state.decoder = known.decoder
                return state
            }
            let y = layer.selfAttention(
                state.decoder, state.targets, causal: true, observing: observing)
            state.decoder.add(y)
            layer.selfAttentionNorm.apply(&state.decoder)
        case 1:
            let y = layer.crossAttention(
                state.decoder, state.targets, over: state.encoder, state.sources,
                known: state.memories.isEmpty ? nil : state.memories[inDecoder / 3], observing: observing)
            state.decoder.add(y)
            layer.crossAttentionNorm.apply(&state.decoder)
        default:
            state.decoder.add(layer.feedForward(state.decoder, observing: observing))
            layer.feedForwardNorm.apply(&state.decoder)
        }
        return state
    }

    /// Behind the embedding: the decoder's first attention, which every change in the encoder leaves as it is. Behind the encoder: the
    /// keys and values of the sources, which every change in the decoder leaves.
    package func sharing(_ state: State, before index: Int) -> State {
        var state = state
        if index == 1, let first = decoder.first {
            let decoder = advance(state, through: 1 + 2 * encoder.count, observing: nil).decoder
            state.attended = (first.selfAttention, decoder)
        }
        if index == 1 + 2 * encoder.count {
            state.memories = decoder.map { $0.crossAttention.memory(of: state.encoder) }
        }
        return state
    }

    /// The decoder's states: one prediction for each target token.
    package func outputs(_ state: State) -> Matrix { state.decoder }

    /// Scores of every token: the tied embedding and `final_logits_bias`.
    package func logits(_ outputs: Matrix, observing: Observer? = nil) -> Matrix {
        observing?(MarianNetwork.embeddingName, outputs)
        var logits = embedding(outputs)
        if let outputBias { logits.add(outputBias) }
        return logits
    }

    /// The tied embedding.
    package var outputProjection: (any LinearOperator)? { embedding }

    /// The target tokens.
    package func targets(_ example: Example) -> [Int?] { example.target }

    /// The one embedding.
    package var tokenEmbedding: String { MarianNetwork.embeddingName }

    /// Source and target tokens.
    package func tokens(_ example: Example) -> [Int] { example.source + example.target }

    /// Embeddings of token sequences, positions added.
    func embed(_ sequences: [[Int]], _ offsets: SequenceOffsets) -> Matrix {
        var x = Matrix(rows: offsets.rows, columns: configuration.width)
        for (index, tokens) in sequences.enumerated() {
            for (position, token) in tokens.enumerated() {
                embed(token, at: position, row: offsets[index].lowerBound + position, of: &x)
            }
        }
        return x
    }

    /// Writes the embedding of a token at a position to a row of `x`.
    func embed(_ token: Int, at position: Int, row: Int, of x: inout Matrix) {
        let width = configuration.width
        let scale = configuration.scalesEmbeddings ? Float(width).squareRoot() : 1
        x.storage.withUnsafeMutableBufferPointer { buffer in
            guard let line = buffer.baseAddress.map({ $0 + row * width }) else { return }
            embedding.copyRow(token, into: line)
            for channel in 0..<width {
                line[channel] = line[channel] * scale + positions.value(position, channel)
            }
        }
    }

    // MARK: Layout

    /// The sublayers of a MarianMT model: `Emb`, then `Enc_ee` and `Enc_ffn` by depth, then `Dec_dd`, `Dec_ed` and `Dec_ffn`.
    ///
    /// - Source: Chung et al. 2020, for the names.
    package static func layout(_ configuration: MarianConfiguration) -> ModelLayout {
        let width = configuration.width
        var sublayers = [
            SublayerShape(
                name: SublayerName("Emb"),
                matrices: [
                    MatrixShape(tensor: embeddingName, rows: configuration.vocabularySize, columns: width)
                ])
        ]
        for depth in 0..<configuration.encoderLayers {
            let name = "model.encoder.layers.\(depth)"
            sublayers.append(
                SublayerShape(
                    name: SublayerName("Enc_ee", depth: depth),
                    matrices: Attention.shapes(name + ".self_attn", width: width)))
            sublayers.append(
                SublayerShape(
                    name: SublayerName("Enc_ffn", depth: depth),
                    matrices: FeedForward.shapes(name, width: width, inner: configuration.encoderInnerWidth)))
        }
        for depth in 0..<configuration.decoderLayers {
            let name = "model.decoder.layers.\(depth)"
            sublayers.append(
                SublayerShape(
                    name: SublayerName("Dec_dd", depth: depth),
                    matrices: Attention.shapes(name + ".self_attn", width: width)))
            sublayers.append(
                SublayerShape(
                    name: SublayerName("Dec_ed", depth: depth),
                    matrices: Attention.shapes(name + ".encoder_attn", width: width)))
            sublayers.append(
                SublayerShape(
                    name: SublayerName("Dec_ffn", depth: depth),
                    matrices: FeedForward.shapes(name, width: width, inner: configuration.decoderInnerWidth)))
        }
        return ModelLayout(
            sublayers: sublayers, fixedParameters: vectors(configuration).reduce(0) { $0 + $1.count },
            work: work(configuration))
    }

    /// Names and lengths of everything that is not a matrix: biases and LayerNorms.
    package static func vectors(_ configuration: MarianConfiguration) -> [(name: String, count: Int)] {
        let width = configuration.width
        var vectors = [(name: "final_logits_bias", count: configuration.vocabularySize)]
        func attention(_ name: String) {
            vectors += ["q_proj", "k_proj", "v_proj", "out_proj"].map { ("\(name).\($0).bias", width) }
            norm(name + "_layer_norm")
        }
        func norm(_ name: String) { vectors += [(name + ".weight", width), (name + ".bias", width)] }
        func feedForward(_ name: String, _ inner: Int) {
            vectors += [(name + ".fc1.bias", inner), (name + ".fc2.bias", width)]
            norm(name + ".final_layer_norm")
        }
        for depth in 0..<configuration.encoderLayers {
            attention("model.encoder.layers.\(depth).self_attn")
            feedForward("model.encoder.layers.\(depth)", configuration.encoderInnerWidth)
        }
        for depth in 0..<configuration.decoderLayers {
            attention("model.decoder.layers.\(depth).self_attn")
            attention("model.decoder.layers.\(depth).encoder_attn")
            feedForward("model.decoder.layers.\(depth)", configuration.decoderInnerWidth)
        }
        return vectors
    }
}
