import BitplanKernels
import BitplanTensors
import PlanFormat

/// A Transformer as a chain of sublayers, so that a change in one can be measured from there on.
///
/// The chain is `start` (the embedding, sublayer 0), then `advance` through sublayers 1, 2, ... of `layout`, then `outputs`.
/// Everything is a function of its inputs: two networks that share sublayers 0..<i give the same state before i.
package protocol Network: Sendable {
    /// One tokenized item of the data.
    associatedtype Example: Sendable
    /// Activations between two sublayers.
    associatedtype State: Sendable

    /// Sublayers in order of execution, the embedding first.
    var layout: ModelLayout { get }
    /// The weights, by name.
    var weights: WeightTable { get }

    /// The same network over other matrices: a probe.
    func replacing(_ matrices: [String: any LinearOperator]) throws -> Self

    /// Looks up the embeddings of a batch.
    func start(_ examples: [Example]) -> State

    /// The state behind sublayer `index` of `layout`, given the state before it.
    func advance(_ state: State, through index: Int, observing: Observer?) -> State

    /// The state before sublayer `index`, with what all networks compute alike that differ from this one only from there on.
    func sharing(_ state: State, before index: Int) -> State

    /// The vectors that predictions are made of, one row per prediction, items in order.
    func outputs(_ state: State) -> Matrix

    /// Scores of every class or token for each row of `outputs`.
    func logits(_ outputs: Matrix, observing: Observer?) -> Matrix

    /// The matrix that `logits` multiplies outputs with, where `logits` is that product and a constant; else nil.
    var outputProjection: (any LinearOperator)? { get }

    /// The right class of each prediction of an item, as many as it has rows of `outputs`; nil where there is none.
    func targets(_ example: Example) -> [Int?]

    /// The matrix whose rows are tokens.
    var tokenEmbedding: String { get }

    /// The rows of `tokenEmbedding` that an item looks up.
    func tokens(_ example: Example) -> [Int]

    /// Answers one item alone, greedily, as `run` answers a line.
    ///
    /// - Parameter maximumLength: the most tokens that are generated; the model's own limit where nil.
    /// - Returns: how much work it was.
    func answer(_ example: Example, maximumLength: Int?) -> Workload

    /// The work of answering an item as its right answer does.
    func workload(of example: Example) -> Workload

    /// Does the work of an item of this size, whatever its tokens: for timing.
    func perform(_ workload: Workload)

    /// Sees the input of a product: the tensor's name and the activations (tokens, columns).
    typealias Observer = (String, Matrix) -> Void
}

extension Network {
    /// Nothing is shared beside the state.
    package func sharing(_ state: State, before index: Int) -> State { state }

    /// Unknown: every probe's logits are computed.
    package var outputProjection: (any LinearOperator)? { nil }

    /// The state before sublayer `end`, all of it computed.
    package func state(_ examples: [Example], before end: Int? = nil, observing: Observer? = nil) -> State {
        advance(start(examples), from: 1, to: end ?? layout.sublayers.count, observing: observing)
    }

    /// Advances through sublayers `first` ..< `end`.
    package func advance(_ state: State, from first: Int, to end: Int, observing: Observer? = nil) -> State {
        var state = state
        for index in first..<max(first, end) { state = advance(state, through: index, observing: observing) }
        return state
    }
}
