import BitplanKernels
import BitplanTensors
import PlanFormat
import BitplanTokenizers

/// An encoder alone, with a classifier behind it or vectors of texts as its result.
package struct EncoderNetwork: Network {
    /// One item: a text, or a pair in one sequence, for a classifier; for a sentence encoder one text or a
    /// pair in two.
    package struct Example: Sendable, Equatable {
        /// Where each sequence lies in the activations.
        package let sequences: [TokenSequence]
        /// The right class, where the model has classes.
        package let label: Int?
        /// Of every label whether it holds, where each is a yes or no of its own.
        package let marks: [Bool]?
        /// What a sentence encoder's losses are measured against; the same object for all items of a dataset.
        package let anchors: SentenceAnchors?

        /// An item of these sequences.
        package init(
            _ sequences: [TokenSequence], label: Int? = nil, marks: [Bool]? = nil,
            anchors: SentenceAnchors? = nil
        ) {
            self.sequences = sequences
            self.label = label
            self.marks = marks
            self.anchors = anchors
        }
    }

    /// The parts that a family makes of weights.
    struct Parts: Sendable {
        let sublayers: SublayerList
        let embedding: TokenEmbedding
        /// Scores of the classes; nil for a sentence encoder, and where the chain ends with the scores.
        let head: Linear?
    }

    /// What the head's scores are.
    enum Answer: Sendable, Equatable {
        /// Those of classes of which one is right.
        case oneClass
        /// Log-odds of labels, each right or not.
        case labels(Int)
        /// One number.
        case number
    }

    /// How a sentence encoder makes one vector of a text's states; nil for a classifier, whose pooler does
    /// it.
    let pooling: Pooling?
    /// What the head's scores are.
    let answer: Answer
    /// The row of the table of positions that the first token has is the one behind this, the padding
    /// token's; the first row where nil. The padding token itself, should a text have it, has its own row and
    /// counts for none.
    let paddingToken: Int?
    /// The sublayers, in order of execution.
    package let sublayers: SublayerList
    /// The shapes of the sublayers.
    package let layout: ModelLayout
    /// Matrices and vectors, by name.
    package let weights: WeightTable
    let embedding: TokenEmbedding
    private let head: Linear?
    private let make: @Sendable (WeightTable?) throws(MissingWeight) -> Parts
    private let anchorVectors = AnchorVectors()

    /// A network of what `make` makes of weights; an outline where there are none.
    init(
        _ weights: WeightTable?, pooling: Pooling?, answer: Answer = .oneClass, paddingToken: Int? = nil,
        make: @escaping @Sendable (WeightTable?) throws(MissingWeight) -> Parts
    ) throws(MissingWeight) {
        let parts = try make(weights)
        sublayers = parts.sublayers
        layout = parts.sublayers.layout
        embedding = parts.embedding
        head = parts.head
        self.weights = weights ?? WeightTable(matrices: [:], vectors: [:])
        self.pooling = pooling
        self.answer = answer
        self.paddingToken = paddingToken
        self.make = make
    }

    /// The same network over other weights.
    package func over(_ weights: WeightTable) throws -> EncoderNetwork {
        try EncoderNetwork(
            weights, pooling: pooling, answer: answer, paddingToken: paddingToken, make: make)
    }

    /// Looks up the embeddings of a batch.
    package func start(_ examples: [Example]) -> State {
        let sequences = examples.flatMap(\.sequences)
        var state = State(encoder: embedding(sequences.map(\.ids)))
        state.types = sequences.flatMap(\.typeIDs)
        state.places = sequences.flatMap { places($0.ids) }
        state.anchors = examples.lazy.compactMap(\.anchors).first
        return state
    }

    /// The rows of the table of positions that tokens have.
    private func places(_ ids: [Int]) -> [Int] {
        guard let paddingToken else { return Array(ids.indices) }
        var place = paddingToken
        return ids.map { id in
            if id == paddingToken { return paddingToken }
            place += 1
            return place
        }
    }

    /// What a text's states are made into: one row for each sequence, the pooler's states of a classifier.
    package func vectors(_ state: State) -> Matrix {
        let (hidden, sequences) = (state.encoder.hidden, state.encoder.sequences)
        return switch pooling {
        case nil: hidden
        case .first: hidden.gathering(rows: sequences.starts.dropLast())
        case .mean: hidden.means(sequences)
        }
    }

    /// One row for each sequence: the pooler's states of a classifier, similarities of a sentence encoder's
    /// vectors with the anchors (the vectors themselves where the items have none). Labels that are right or
    /// not each for itself have a row each, their score.
    package func outputs(_ state: State, observing: Observer?) -> Matrix {
        let vectors = vectors(state)
        if case .labels(let count) = answer {
            return Matrix(rows: vectors.rows * count, columns: 1, storage: vectors.storage)
        }
        guard let anchors = state.anchors, head == nil else { return vectors }
        return anchorVectors.similarities(vectors, to: anchors, of: self)
    }

    /// The gradients of the states that vectors are made of.
    package func backwardOutputs(
        _ state: State, _ gradient: Matrix, _ tape: Tape, _ sink: any GradientSink
    ) -> State {
        precondition(state.anchors == nil, "similarities with anchors have no way back")
        let sequences = state.encoder.sequences
        var gradients = state.zeros()
        gradients.encoder.hidden =
            switch pooling {
            case nil:
                if case .labels(let count) = answer {
                    Matrix(rows: gradient.rows / count, columns: count, storage: gradient.storage)
                } else {
                    gradient
                }
            case .first: gradient.scattered(to: sequences.starts.dropLast(), of: sequences.rows)
            case .mean: gradient.spread(over: sequences)
            }
        return gradients
    }

    /// Hands on the gradients of what `start` looked up.
    package func backwardStart(_ examples: [Example], _ gradient: State, _ sink: any GradientSink) {
        embedding.backward(examples.flatMap(\.sequences).map(\.ids), gradient.encoder.hidden, sink)
    }

    /// Scores of the classes; a sentence encoder's outputs are scores already. A label's are 0 and its
    /// log-odds; a number's are those of a distribution around it (`ScoreTable`).
    package func logits(_ outputs: Matrix, observing: Observer? = nil) -> Matrix {
        switch answer {
        case .oneClass: head?(outputs, observing: observing) ?? outputs
        case .labels: ScoreTable.labels.scores(outputs)
        case .number: ScoreTable.number.scores(outputs)
        }
    }

    /// The gradient of the outputs, given that of the scores.
    package func backwardLogits(_ gradient: Matrix, _ tape: Tape, _ sink: any GradientSink) -> Matrix {
        switch answer {
        case .oneClass: head?.backward(gradient, tape, sink) ?? gradient
        case .labels: ScoreTable.labels.backward(gradient)
        case .number: ScoreTable.number.backward(gradient)
        }
    }

    /// The item without anchors: its outputs are vectors, which have a way back.
    package func trainingExample(_ example: Example) -> Example {
        Example(example.sequences, label: example.label, marks: example.marks)
    }

    /// Whether a head stands behind the encoder.
    package var hasHead: Bool { head != nil || answer != .oneClass }

    /// An item's label for each of its sequences, or a yes or no for each label; a sentence encoder and a
    /// number have no right class.
    package func targets(_ example: Example) -> [Int?] {
        if case .labels(let count) = answer {
            return (0..<count).map { label in example.marks.map { $0[label] ? 1 : 0 } }
        }
        return example.sequences.map { _ in example.label }
    }

    /// The word embedding.
    package var tokenMatrices: [String] { [embedding.name] }

    /// The tokens that an item looks up.
    package func tokenRows(_ example: Example) -> [[Int]] { [example.sequences.flatMap(\.ids)] }
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

    /// Every sequence's row over all its rows, divided by their number: the way back of `means`.
    func spread(over sequences: SequenceOffsets) -> Matrix {
        var result = Matrix(rows: sequences.rows, columns: columns)
        for index in 0..<sequences.count {
            let span = sequences[index]
            for row in span {
                for column in 0..<columns { result[row, column] = self[index, column] / Float(span.count) }
            }
        }
        return result
    }

    /// Every row divided by its length.
    package func normalizingRows() -> Matrix {
        var result = self
        for row in 0..<rows {
            let length = self[row: row].reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
            for column in 0..<columns { result[row, column] /= max(length, 1e-12) }
        }
        return result
    }
}
