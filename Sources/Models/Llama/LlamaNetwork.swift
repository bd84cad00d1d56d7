import BitplanKernels
import BitplanTensors
import PlanFormat

/// A decoder in the Llama layout: pre-norm layers with RMSNorm, rotary positions and gated feed-forwards.
///
/// The chain is `Emb`, `Attention` and `FFN` by depth, and `Head` where the output projection is a matrix of its own.
/// - Source: Touvron et al. 2023.
package struct LlamaNetwork: Network {
    /// A window of a text.
    package struct Example: Sendable, Equatable {
        /// Token ids.
        package let tokens: [Int]
        /// How many of the last tokens are predicted: those before them are context. Less than there are tokens.
        package let scored: Int
        /// Bytes of text that the scored tokens stand for.
        package let bytes: Int

        /// A window whose last `scored` tokens are predicted; at most all but the first.
        package init(tokens: [Int], scored: Int, bytes: Int = 0) {
            self.tokens = tokens
            self.scored = max(0, min(scored, tokens.count - 1))
            self.bytes = bytes
        }
    }

    /// Activations of all tokens, and the rows that predict something.
    package struct State: Sendable {
        /// Activations of all sequences: (tokens, width).
        package var hidden: Matrix
        /// Where each sequence lies in the activations.
        package let sequences: SequenceOffsets
        let predicting: [Int]
    }

    struct Layer: Sendable {
        let attentionNorm: RMSNorm
        let attention: Attention
        let feedForwardNorm: RMSNorm
        let feedForward: GatedFeedForward
    }

    /// The model's shape.
    package let configuration: LlamaConfiguration
    /// The sublayers, in order of execution.
    package let layout: ModelLayout
    /// Matrices and vectors, by name.
    package let weights: WeightTable
    let embedding: any LinearOperator
    let layers: [Layer]
    let finalNorm: RMSNorm
    private let head: Linear
    private let rotary: RotaryPositions

    static let embeddingName = "model.embed_tokens.weight"

    /// A network over `weights`, which must have every tensor that `LlamaNetwork.layout` and `vectors` name.
    package init(_ configuration: LlamaConfiguration, _ weights: WeightTable) throws(MissingWeight) {
        let rotary = RotaryPositions(
            size: configuration.headSize, theta: configuration.theta,
            maximumPositions: configuration.maximumPositions)
        try self.init(configuration, weights, rotary)
    }

    /// A network that shares the table of positions.
    private init(
        _ configuration: LlamaConfiguration, _ weights: WeightTable, _ rotary: RotaryPositions
    ) throws(MissingWeight) {
        self.configuration = configuration
        self.weights = weights
        self.rotary = rotary
        layout = LlamaNetwork.layout(configuration)
        embedding = try weights.matrix(LlamaNetwork.embeddingName)
        var layers: [Layer] = []
        for depth in 0..<configuration.layers {
            let name = LlamaNetwork.layer(depth)
            layers.append(
                Layer(
                    attentionNorm: try RMSNorm(
                        name + ".input_layernorm", epsilon: configuration.normEpsilon, weights),
                    attention: try Attention(
                        AttentionNames(name + ".self_attn", output: "o_proj"), heads: configuration.heads,
                        keyHeads: configuration.keyHeads, hasBias: configuration.attentionHasBias,
                        rotary: rotary, weights),
                    feedForwardNorm: try RMSNorm(
                        name + ".post_attention_layernorm", epsilon: configuration.normEpsilon, weights),
                    feedForward: try GatedFeedForward(
                        name + ".mlp", hasBias: configuration.feedForwardHasBias,
                        activation: configuration.activation,
                        weights)))
        }
        self.layers = layers
        finalNorm = try RMSNorm("model.norm", epsilon: configuration.normEpsilon, weights)
        head = try Linear(configuration.isTied ? "model.embed_tokens" : "lm_head", hasBias: false, weights)
    }

    /// The same network over other matrices.
    package func replacing(_ matrices: [String: any LinearOperator]) throws -> LlamaNetwork {
        try LlamaNetwork(configuration, weights.replacing(matrices), rotary)
    }

    // MARK: The chain of sublayers

    /// The last token of a window is only predicted, never read.
    package func start(_ examples: [Example]) -> State {
        let inputs = examples.map { $0.tokens.dropLast() }
        let sequences = SequenceOffsets(lengths: inputs.map(\.count))
        let predicting = examples.indices.flatMap { index in
            sequences[index].upperBound - examples[index].scored..<sequences[index].upperBound
        }
        return State(hidden: embed(inputs.flatMap { $0 }), sequences: sequences, predicting: predicting)
    }

    /// Runs one sublayer with its residual and its norm.
    package func advance(_ state: State, through index: Int, observing: Observer?) -> State {
        var state = state
        let inLayers = index - 1
        guard inLayers < 2 * layers.count else { return state }
        let layer = layers[inLayers / 2]
        if inLayers % 2 == 0 {
            let x = layer.attentionNorm(state.hidden)
            state.hidden.add(
                layer.attention(
                    x, state.sequences, causal: true, observing: observing))
        } else {
            state.hidden.add(layer.feedForward(layer.feedForwardNorm(state.hidden), observing: observing))
        }
        return state
    }

    /// The last states, normalized, of the tokens that predict something.
    package func outputs(_ state: State) -> Matrix {
        let all = state.predicting.count == state.hidden.rows
        return finalNorm(all ? state.hidden : state.hidden.gathering(rows: state.predicting))
    }

    /// Scores of every class or token.
    package func logits(_ outputs: Matrix, observing: Observer? = nil) -> Matrix {
        head(outputs, observing: observing)
    }

    /// The right classes of an item.
    package func targets(_ example: Example) -> [Int?] { example.tokens.suffix(example.scored) }

    /// The word embedding.
    package var tokenEmbedding: String { LlamaNetwork.embeddingName }

    /// The tokens that an item looks up.
    package func tokens(_ example: Example) -> [Int] { example.tokens.dropLast() }

    /// Embeddings of tokens, one row each.
    func embed(_ tokens: [Int]) -> Matrix {
        let width = configuration.width
        var x = Matrix(rows: tokens.count, columns: width)
        x.storage.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for (row, token) in tokens.enumerated() { embedding.copyRow(token, into: base + row * width) }
        }
        return x
    }

    // MARK: Layout

    private static func layer(_ depth: Int) -> String { "model.layers.\(depth)" }

    /// The sublayers: `Emb`, then `Attention` and `FFN` by depth, then `Head` where it is not the embedding.
    package static func layout(_ configuration: LlamaConfiguration) -> ModelLayout {
        let width = configuration.width
        var sublayers = [
            SublayerShape(
                name: SublayerName("Emb"),
                matrices: [
                    MatrixShape(tensor: embeddingName, rows: configuration.vocabularySize, columns: width)
                ])
        ]
        for depth in 0..<configuration.layers {
            let names = AttentionNames(layer(depth) + ".self_attn", output: "o_proj")
            sublayers.append(
                SublayerShape(
                    name: SublayerName("Attention", depth: depth),
                    matrices: names.shapes(
                        width: width, inner: configuration.heads * configuration.headSize,
                        keyWidth: configuration.keyHeads * configuration.headSize)))
            sublayers.append(
                SublayerShape(
                    name: SublayerName("FFN", depth: depth),
                    matrices: GatedFeedForward.shapes(
                        layer(depth) + ".mlp", width: width, inner: configuration.innerWidth)))
        }
        if !configuration.isTied {
            sublayers.append(
                SublayerShape(
                    name: SublayerName("Head"),
                    matrices: [
                        MatrixShape(
                            tensor: "lm_head.weight", rows: configuration.vocabularySize, columns: width)
                    ]))
        }
        return ModelLayout(
            sublayers: sublayers, fixedParameters: vectors(configuration).reduce(0) { $0 + $1.count },
            work: work(configuration))
    }

    /// Names and lengths of what stays FP32: norms, and biases where the model has them.
    package static func vectors(_ configuration: LlamaConfiguration) -> [(name: String, count: Int)] {
        let width = configuration.width
        var vectors = [(name: "model.norm.weight", count: width)]
        for depth in 0..<configuration.layers {
            let name = layer(depth)
            vectors += [
                (name + ".input_layernorm.weight", width), (name + ".post_attention_layernorm.weight", width),
            ]
            if configuration.attentionHasBias {
                let (inner, keyWidth) = (
                    configuration.heads * configuration.headSize,
                    configuration.keyHeads * configuration.headSize
                )
                vectors += [("q_proj", inner), ("k_proj", keyWidth), ("v_proj", keyWidth), ("o_proj", width)]
                    .map {
                        ("\(name).self_attn.\($0.0).bias", $0.1)
                    }
            }
            if configuration.feedForwardHasBias {
                let inner = configuration.innerWidth
                vectors += [("gate_proj", inner), ("up_proj", inner), ("down_proj", width)].map {
                    ("\(name).mlp.\($0.0).bias", $0.1)
                }
            }
        }
        return vectors
    }
}
