import BitplanKernels
import BitplanTensors
import PlanFormat

/// A decoder alone: a language model.
package struct DecoderNetwork: Network {
    /// A window of a text.
    package struct Example: Sendable, Equatable {
        /// Token ids.
        package let tokens: [Int]
        /// How many of the last tokens are predicted: those before them are context. Less than there are
        /// tokens.
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

    /// The parts that a family makes of weights.
    struct Parts: Sendable {
        let sublayers: SublayerList
        let embedding: TokenEmbedding
        /// Normalizes the last states; nil where the layers end with a norm.
        let norm: Norm?
        /// Scores of every token.
        let output: Linear
        /// Keeps the scores within a bound; nil where they are as they are.
        let cap: SoftCap?
    }

    /// Tokens that end a text.
    let endTokens: [Int]
    /// No text is longer.
    let maximumPositions: Int
    /// The sublayers, in order of execution.
    package let sublayers: SublayerList
    /// The shapes of the sublayers.
    package let layout: ModelLayout
    /// Matrices and vectors, by name.
    package let weights: WeightTable
    let embedding: TokenEmbedding
    private let norm: Norm?
    private let output: Linear
    private let cap: SoftCap?
    private let make: @Sendable (WeightTable?) throws(MissingWeight) -> Parts

    /// A network of what `make` makes of weights; an outline where there are none.
    init(
        _ weights: WeightTable?, endTokens: [Int], maximumPositions: Int,
        make: @escaping @Sendable (WeightTable?) throws(MissingWeight) -> Parts
    ) throws(MissingWeight) {
        let parts = try make(weights)
        sublayers = parts.sublayers
        layout = parts.sublayers.layout
        embedding = parts.embedding
        norm = parts.norm
        output = parts.output
        cap = parts.cap
        self.weights = weights ?? WeightTable(matrices: [:], vectors: [:])
        self.endTokens = endTokens
        self.maximumPositions = maximumPositions
        self.make = make
    }

    /// The same network over other weights.
    package func over(_ weights: WeightTable) throws -> DecoderNetwork {
        try DecoderNetwork(weights, endTokens: endTokens, maximumPositions: maximumPositions, make: make)
    }

    /// The last token of a window is only predicted, never read.
    package func start(_ examples: [Example]) -> State {
        var state = State(decoder: embedding(examples.map { $0.tokens.dropLast() }))
        let sequences = state.decoder.sequences
        state.predicting = examples.indices.flatMap { index in
            sequences[index].upperBound - examples[index].scored..<sequences[index].upperBound
        }
        return state
    }

    /// The last states, normalized, of the tokens that predict something.
    package func outputs(_ state: State, observing: Observer?) -> Matrix {
        let hidden = state.decoder.hidden
        let predicting = state.predicting.flatMap { $0.count == hidden.rows ? nil : $0 }
        return normalized(predicting.map { hidden.gathering(rows: $0) } ?? hidden, observing: observing)
    }

    private func normalized(_ hidden: Matrix, observing: Observer? = nil) -> Matrix {
        norm.map { $0(hidden, observing: observing) } ?? hidden
    }

    /// The gradients of the tokens that predict something; zero for the others.
    package func backwardOutputs(
        _ state: State, _ gradient: Matrix, _ tape: Tape, _ sink: any GradientSink
    ) -> State {
        var hidden = gradient
        norm?.backward(&hidden, tape, sink)
        var gradients = state.zeros()
        gradients.decoder.hidden =
            state.predicting.map { hidden.scattered(to: $0, of: state.decoder.sequences.rows) } ?? hidden
        return gradients
    }

    /// Hands on the gradients of what `start` looked up.
    package func backwardStart(_ examples: [Example], _ gradient: State, _ sink: any GradientSink) {
        embedding.backward(examples.map { $0.tokens.dropLast() }, gradient.decoder.hidden, sink)
    }

    /// Scores of every token.
    package func logits(_ outputs: Matrix, observing: Observer? = nil) -> Matrix {
        var scores = output(outputs, observing: observing)
        if let cap {
            cap.apply(&scores)
            observing?.keep(Self.cappedScores, scores)
        }
        return scores
    }

    /// What the tape calls the scores behind their cap.
    private static let cappedScores = "scores"

    /// The gradient of the outputs, given that of the scores.
    package func backwardLogits(_ gradient: Matrix, _ tape: Tape, _ sink: any GradientSink) -> Matrix {
        var gradient = gradient
        cap?.backward(&gradient, capped: tape.kept(Self.cappedScores))
        return output.backward(gradient, tape, sink)
    }

    /// The tokens that an item predicts.
    package func targets(_ example: Example) -> [Int?] { example.tokens.suffix(example.scored) }

    /// The word embedding.
    package var tokenMatrices: [String] { [embedding.name] }

    /// The tokens that an item looks up.
    package func tokenRows(_ example: Example) -> [[Int]] { [example.tokens.dropLast()] }

    // MARK: Decoding

    /// Reads whole prompts: the logits that follow their last tokens, and what later steps read of them.
    ///
    /// - Shapes: (prompts, vocabulary).
    package func read(_ prompts: [[Int]]) -> (logits: Matrix, cache: DecodingCache) {
        var state = State(decoder: embedding(prompts))
        var memories: [[SequenceMemory]] = []
        for entry in sublayers.entries {
            var memory = entry.sublayer.memory(before: state)
            entry.sublayer.read(&state, into: &memory)
            memories.append(memory)
        }
        let lasts = state.decoder.sequences.starts.dropFirst().map { $0 - 1 }
        return (
            logits(normalized(state.decoder.hidden.gathering(rows: lasts))),
            DecodingCache(memories, positions: prompts.map(\.count))
        )
    }

    /// Reads one more token of every text: the logits that follow it.
    ///
    /// - Shapes: (texts, vocabulary).
    package func step(_ tokens: [Int], _ cache: inout DecodingCache) -> Matrix {
        var x = embedding.embed(tokens, at: cache.positions)
        cache.step(&x, sublayers)
        return logits(normalized(x))
    }
}
