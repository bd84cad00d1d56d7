import BitplanKernels
import BitplanTensors
import PlanFormat

/// An encoder and a decoder that reads it.
package struct EncoderDecoderNetwork: Network {
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

    /// The parts that a family makes of weights.
    struct Parts: Sendable {
        let sublayers: SublayerList
        /// Looks up the tokens of sources.
        let source: TokenEmbedding
        /// Looks up those of targets; in most models the same.
        let target: TokenEmbedding
        /// Scores of every token.
        let output: Linear
        /// What states are multiplied by before they are scored.
        var outputScale: Float = 1
    }

    /// How the model generates.
    package var generation: TranslationSettings
    /// No sequence is longer.
    let maximumPositions: Int
    /// The sublayers: the embedding, the encoder's, the decoder's.
    package let sublayers: SublayerList
    /// The shapes of the sublayers.
    package let layout: ModelLayout
    /// Matrices and vectors, by name.
    package let weights: WeightTable
    let source: TokenEmbedding
    let target: TokenEmbedding
    let output: Linear
    private let outputScale: Float
    private let make: @Sendable (WeightTable?) throws(MissingWeight) -> Parts
    /// Where the decoder's sublayers begin.
    let firstOfDecoder: Int

    /// A network of what `make` makes of weights; an outline where there are none.
    init(
        _ weights: WeightTable?, generation: TranslationSettings, maximumPositions: Int,
        make: @escaping @Sendable (WeightTable?) throws(MissingWeight) -> Parts
    ) throws(MissingWeight) {
        let parts = try make(weights)
        sublayers = parts.sublayers
        layout = parts.sublayers.layout
        source = parts.source
        target = parts.target
        output = parts.output
        outputScale = parts.outputScale
        self.weights = weights ?? WeightTable(matrices: [:], vectors: [:])
        self.generation = generation
        self.maximumPositions = maximumPositions
        self.make = make
        firstOfDecoder =
            parts.sublayers.entries.firstIndex { $0.name.kind.stack == SublayerKind.decoderStack }
            ?? parts.sublayers.entries.count
    }

    /// The same network over other weights.
    package func over(_ weights: WeightTable) throws -> EncoderDecoderNetwork {
        try EncoderDecoderNetwork(
            weights, generation: generation, maximumPositions: maximumPositions, make: make)
    }

    /// Embeds sources, and targets behind the start symbol.
    package func start(_ examples: [Example]) -> State {
        State(encoder: source(examples.map(\.source)), decoder: target(examples.map(decoderTokens)))
    }

    /// What the decoder reads to predict an item's target.
    private func decoderTokens(_ example: Example) -> [Int] {
        [firstToken] + example.target.dropLast()
    }

    /// What a target starts from.
    var firstToken: Int { generation.startToken ?? TokenEmbedding.nothing }

    /// Hands on the gradients of what `start` looked up.
    package func backwardStart(_ examples: [Example], _ gradient: State, _ sink: any GradientSink) {
        source.backward(examples.map(\.source), gradient.encoder.hidden, sink)
        target.backward(examples.map(decoderTokens), gradient.decoder.hidden, sink)
    }

    /// Behind the embedding: the decoder's first sublayer, which every change in the encoder leaves as it is.
    /// Behind the encoder: the keys and values of the sources, which every change in the decoder leaves.
    package func sharing(_ state: State, before index: Int) -> State {
        var state = state
        if index == 1, sublayers.entries.indices.contains(firstOfDecoder) {
            state.known = State.KnownStream(
                sublayer: firstOfDecoder, matrices: matrices(of: firstOfDecoder),
                stream: advance(state, through: firstOfDecoder, observing: nil).decoder)
        }
        if index == firstOfDecoder {
            for case let attention as CrossAttention in sublayers.entries.map(\.sublayer) {
                attention.remember(in: &state)
            }
        }
        return state
    }

    /// The decoder's states: one prediction for each target token.
    package func outputs(_ state: State, observing: Observer?) -> Matrix { scaled(state.decoder.hidden) }

    /// States as they are scored.
    private func scaled(_ states: Matrix) -> Matrix {
        guard outputScale != 1 else { return states }
        var states = states
        for index in states.storage.indices { states.storage[index] *= outputScale }
        return states
    }

    /// The gradients of the decoder's states; the encoder's come through the decoder.
    package func backwardOutputs(
        _ state: State, _ gradient: Matrix, _ tape: Tape, _ sink: any GradientSink
    ) -> State {
        var gradients = state.zeros()
        gradients.decoder.hidden = scaled(gradient)
        return gradients
    }

    /// Scores of every token.
    package func logits(_ outputs: Matrix, observing: Observer? = nil) -> Matrix {
        output(outputs, observing: observing)
    }

    /// The gradient of the outputs, given that of the scores.
    package func backwardLogits(_ gradient: Matrix, _ tape: Tape, _ sink: any GradientSink) -> Matrix {
        output.backward(gradient, tape, sink)
    }

    /// The matrix that scores tokens.
    package var outputProjection: (any LinearOperator)? { output.weight }

    /// The target tokens.
    package func targets(_ example: Example) -> [Int?] { example.target }

    /// The embeddings and the scores of tokens, each matrix once.
    package var tokenMatrices: [String] {
        var names: [String] = []
        for name in [source.name, target.name, output.name] where !names.contains(name) {
            names.append(name)
        }
        return names
    }

    /// Source tokens of the source's embedding; target tokens of the target's and of the scores.
    package func tokenRows(_ example: Example) -> [[Int]] {
        tokenMatrices.map { name in
            (name == source.name ? example.source : [])
                + (name == target.name || name == output.name ? example.target : [])
        }
    }

    // MARK: Decoding

    /// Runs the encoder over a batch of sources; what the decoder's steps read of them is computed here,
    /// once.
    package func read(_ sources: [[Int]]) -> DecodingCache {
        var state = State(
            encoder: source(sources), decoder: target(sources.map { _ in [Int]() }))
        state = advance(state, from: 1, to: firstOfDecoder)
        return DecodingCache(
            sublayers.entries.map { $0.sublayer.memory(before: state) }, positions: sources.map { _ in 0 })
    }

    /// One step: the logits that follow `tokens`, one for each row of the cache.
    ///
    /// - Shapes: (rows, vocabulary).
    package func step(_ tokens: [Int], _ cache: inout DecodingCache) -> Matrix {
        logits(states(tokens, &cache))
    }

    /// One step up to the scores: the decoder's states.
    func states(_ tokens: [Int], _ cache: inout DecodingCache) -> Matrix {
        var x = target.embed(tokens, at: cache.positions)
        cache.step(&x, sublayers)
        return scaled(x)
    }
}
