import BitplanKernels
import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// A BERT encoder with its head: post-norm layers over word, position and type embeddings.
///
/// The chain is `Emb` (words), `Pos` (positions and types added, then a LayerNorm), `Attention` and `FFN` by depth, and for a
/// classifier `Pooler` and `Head`.
/// - Source: Devlin et al. 2019.
package struct BertNetwork: Network {
    /// One item: a text, or a pair in one sequence, for a classifier; for a sentence encoder one text or a pair in two.
    package struct Example: Sendable, Equatable {
        /// Where each sequence lies in the activations.
        package let sequences: [TokenSequence]
        /// The right class, where the model has classes.
        package let label: Int?
        /// What a sentence encoder's losses are measured against; the same object for all items of a dataset.
        package let anchors: SentenceAnchors?

        /// An item of these sequences.
        package init(_ sequences: [TokenSequence], label: Int? = nil, anchors: SentenceAnchors? = nil) {
            self.sequences = sequences
            self.label = label
            self.anchors = anchors
        }
    }

    /// Activations of all tokens; behind the pooler of all sequences.
    package struct State: Sendable {
        /// Activations of all sequences: (tokens, width).
        package var hidden: Matrix
        /// Where each sequence lies in the activations.
        package let sequences: SequenceOffsets
        let types: [Int]
        let anchors: SentenceAnchors?
    }

    /// The model's shape.
    package let configuration: BertConfiguration
    /// The sublayers, in order of execution.
    package let layout: ModelLayout
    /// Matrices and vectors, by name.
    package let weights: WeightTable
    let names: BertNames
    private let words: any LinearOperator
    private let positions: any LinearOperator
    private let typeRows: [Float]
    private let embeddingNorm: LayerNorm
    private let layers: [Layer]
    private let pooler: Linear?
    private let head: Linear?
    private let anchorVectors = AnchorVectors()

    private struct Layer: Sendable {
        let attention: Attention
        let attentionNorm: LayerNorm
        let feedForward: FeedForward
        let feedForwardNorm: LayerNorm
    }

    /// A network over `weights`, which must have every tensor that `BertNetwork.layout` and `vectors` name.
    package init(_ configuration: BertConfiguration, _ weights: WeightTable) throws(MissingWeight) {
        let names = BertNames(configuration)
        self.configuration = configuration
        self.weights = weights
        self.names = names
        layout = BertNetwork.layout(configuration)
        words = try weights.matrix(names.words)
        positions = try weights.matrix(names.positions)
        typeRows = try weights.vector(names.types)
        func norm(_ name: String) throws(MissingWeight) -> LayerNorm {
            try LayerNorm(name, epsilon: configuration.normEpsilon, weights)
        }
        embeddingNorm = try norm(names.embeddingNorm)
        var layers: [Layer] = []
        for depth in 0..<configuration.layers {
            layers.append(
                Layer(
                    attention: try Attention(names.attention(depth), heads: configuration.heads, weights),
                    attentionNorm: try norm(names.attentionNorm(depth)),
                    feedForward: try FeedForward(
                        inner: names.inner(depth), outer: names.outer(depth),
                        activation: configuration.activation, weights),
                    feedForwardNorm: try norm(names.outerNorm(depth))))
        }
        self.layers = layers
        if case .classification = configuration.task {
            pooler = try Linear(names.pooler, weights)
            head = try Linear(names.head, weights)
        } else {
            pooler = nil
            head = nil
        }
    }

    /// The same network over other matrices.
    package func replacing(_ matrices: [String: any LinearOperator]) throws -> BertNetwork {
        try BertNetwork(configuration, weights.replacing(matrices))
    }

    // MARK: The chain of sublayers

    /// Looks up the embeddings of a batch.
    package func start(_ examples: [Example]) -> State {
        let sequences = examples.flatMap(\.sequences)
        let width = configuration.width
        var hidden = Matrix(rows: sequences.reduce(0) { $0 + $1.ids.count }, columns: width)
        hidden.storage.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for (row, token) in sequences.lazy.flatMap(\.ids).enumerated() {
                words.copyRow(token, into: base + row * width)
            }
        }
        return State(
            hidden: hidden, sequences: SequenceOffsets(lengths: sequences.map(\.ids.count)),
            types: sequences.flatMap(\.typeIDs), anchors: examples.lazy.compactMap(\.anchors).first)
    }

    /// Runs one sublayer with its residual and its norm.
    package func advance(_ state: State, through index: Int, observing: Observer?) -> State {
        var state = state
        let inLayers = index - 2
        if inLayers < 0 {
            addPositions(&state)
            embeddingNorm.apply(&state.hidden)
        } else if inLayers < 2 * layers.count {
            let layer = layers[inLayers / 2]
            if inLayers % 2 == 0 {
                let y = layer.attention(
                    state.hidden, state.sequences, causal: false, observing: observing)
                state.hidden.add(y)
                layer.attentionNorm.apply(&state.hidden)
            } else {
                state.hidden.add(layer.feedForward(state.hidden, observing: observing))
                layer.feedForwardNorm.apply(&state.hidden)
            }
        } else if inLayers == 2 * layers.count, let pooler {
            let firsts = state.hidden.gathering(rows: state.sequences.starts.dropLast())
            state.hidden = pooler(firsts, observing: observing)
            state.hidden.storage.withUnsafeMutableBufferPointer { values in
                guard let base = values.baseAddress else { return }
                hyperbolicTangent(base, count: values.count)
            }
        }
        return state
    }

    private func addPositions(_ state: inout State) {
        let width = configuration.width
        var line = [Float](repeating: 0, count: width)
        let (sequences, types) = (state.sequences, state.types)
        state.hidden.storage.withUnsafeMutableBufferPointer { hidden in
            for sequence in 0..<sequences.count {
                for (position, row) in sequences[sequence].enumerated() {
                    positions.copyRow(position, into: &line)
                    for channel in 0..<width {
                        hidden[row * width + channel] +=
                            typeRows[types[row] * width + channel] + line[channel]
                    }
                }
            }
        }
    }

    /// What a text's states are made into: one row for each sequence, the pooler's states of a classifier.
    package func vectors(_ state: State) -> Matrix {
        switch configuration.task {
        case .classification: state.hidden
        case .embedding(.first, _): state.hidden.gathering(rows: state.sequences.starts.dropLast())
        case .embedding(.mean, _): state.hidden.means(state.sequences)
        }
    }

    /// One row for each sequence: the pooler's states of a classifier, similarities of a sentence encoder's vectors with the anchors (the
    /// vectors themselves where the items have none).
    package func outputs(_ state: State) -> Matrix {
        let vectors = vectors(state)
        guard let anchors = state.anchors, head == nil else { return vectors }
        return anchorVectors.similarities(vectors, to: anchors, of: self)
    }

    /// Scores of the classes; a sentence encoder's outputs are scores already.
    package func logits(_ outputs: Matrix, observing: Observer? = nil) -> Matrix {
        head?(outputs, observing: observing) ?? outputs
    }

    /// An item's label for each of its sequences; a sentence encoder has no right answers.
    package func targets(_ example: Example) -> [Int?] { example.sequences.map { _ in example.label } }

    /// The word embedding.
    package var tokenEmbedding: String { names.words }

    /// The tokens that an item looks up.
    package func tokens(_ example: Example) -> [Int] { example.sequences.flatMap(\.ids) }
}

extension Matrix {
    /// The mean of every sequence's rows.
    func means(_ sequences: SequenceOffsets) -> Matrix {
        var means = Matrix(rows: sequences.count, columns: columns)
        for index in 0..<sequences.count {
            let span = sequences[index]
            for row in span { for column in 0..<columns { means[index, column] += self[row, column] } }
            for column in 0..<columns { means[index, column] /= Float(max(1, span.count)) }
        }
        return means
    }

    /// Every row divided by its length.
    func normalizingRows() -> Matrix {
        var result = self
        for row in 0..<rows {
            let length = self[row: row].reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
            for column in 0..<columns { result[row, column] /= max(length, 1e-12) }
        }
        return result
    }
}
