import BitplanKernels
import BitplanTensors
import PlanFormat

/// A Transformer as a list of sublayers, so that a change in one can be measured from there on.
///
/// The chain is `start` (the embedding, sublayer 0), then `advance` through sublayers 1, 2, ... of `layout`,
/// then `outputs`. Everything is a function of its inputs: two networks that share sublayers 0..<i give the
/// same state before i. A conformer says what an item of its data is, how the chain starts and what it ends
/// in; the rest follows from its sublayers.
package protocol Network: TimedNetwork {
    /// The sublayers.
    var sublayers: SublayerList { get }
    /// The shapes of the sublayers, which follow from the list.
    var layout: ModelLayout { get }
    /// The weights, by name; empty in an outline.
    var weights: WeightTable { get }

    /// The same network over other weights.
    func over(_ weights: WeightTable) throws -> Self

    /// Looks up the embeddings of a batch.
    func start(_ examples: [Example]) -> NetworkState

    /// The state before sublayer `index`, with what all networks compute alike that differ from this one only
    /// from there on.
    func sharing(_ state: NetworkState, before index: Int) -> NetworkState

    /// The vectors that predictions are made of, one row per prediction, items in order.
    func outputs(_ state: NetworkState, observing: Observer?) -> Matrix

    /// Scores of every class or token for each row of `outputs`.
    func logits(_ outputs: Matrix, observing: Observer?) -> Matrix

    /// The way back of `start`: hands on the gradients of the embeddings.
    func backwardStart(_ examples: [Example], _ gradient: NetworkState, _ sink: any GradientSink)

    /// The way back of `outputs`: the gradient of the state, in its form, given that of the outputs.
    func backwardOutputs(
        _ state: NetworkState, _ gradient: Matrix, _ tape: Tape, _ sink: any GradientSink
    ) -> NetworkState

    /// The way back of `logits`: the gradient of the outputs, given that of the logits.
    func backwardLogits(_ gradient: Matrix, _ tape: Tape, _ sink: any GradientSink) -> Matrix

    /// An item as a network is trained on it.
    func trainingExample(_ example: Example) -> Example

    /// Whether `logits` are more than the outputs themselves.
    var hasHead: Bool { get }

    /// The matrix that `logits` multiplies outputs with, where `logits` is that product and a constant; else
    /// nil.
    var outputProjection: (any LinearOperator)? { get }

    /// The right class of each prediction of an item, as many as it has rows of `outputs`; nil where there is
    /// none.
    func targets(_ example: Example) -> [Int?]

    /// The matrices whose rows are tokens: embeddings, and a translation's scores of tokens.
    var tokenMatrices: [String] { get }

    /// The rows of each of `tokenMatrices`, in their order, that stand for tokens of an item.
    func tokenRows(_ example: Example) -> [[Int]]

    /// Activations between two sublayers.
    typealias State = NetworkState
    /// Sees what a forward computes.
    typealias Observer = ForwardObserver
}

extension Network {
    /// The state behind sublayer `index` of `layout`, given the state before it.
    package func advance(_ state: State, through index: Int, observing: Observer?) -> State {
        var state = state
        if observing == nil, let known = state.known, known.sublayer == index,
            zip(known.matrices, matrices(of: index)).allSatisfy({ $0.isSame(as: $1) })
        {
            state.decoder = known.stream
        } else {
            sublayers.entries[index].sublayer.forward(&state, observing: observing)
        }
        return state
    }

    /// The matrices of a sublayer, as they are in this network.
    func matrices(of index: Int) -> [any LinearOperator] {
        sublayers.entries[index].matrices.compactMap { weights.matrices[$0.tensor] }
    }

    /// The same network over other matrices and vectors: a probe.
    package func replacing(
        _ matrices: [String: any LinearOperator], vectors: [String: [Float]] = [:]
    ) throws -> Self {
        try over(weights.replacing(matrices, vectors: vectors))
    }

    /// The outputs, which no backward follows.
    package func outputs(_ state: State) -> Matrix { outputs(state, observing: nil) }

    /// The way back of a forward that `tape` has written down: hands the gradients of all weights to `sink`,
    /// given that of the outputs.
    ///
    /// - Parameter state: the state behind the last sublayer, which the outputs were made of.
    package func backward(
        _ examples: [Example], _ state: State, outputs gradient: Matrix, _ tape: Tape,
        _ sink: any GradientSink
    ) {
        var gradient = backwardOutputs(state, gradient, tape, sink)
        for entry in sublayers.entries.dropFirst().reversed() {
            entry.sublayer.backward(&gradient, tape, sink)
        }
        backwardStart(examples, gradient, sink)
    }

    /// The item itself.
    package func trainingExample(_ example: Example) -> Example { example }

    /// The rows that stand for tokens of an item, of all matrices together: how long it is.
    package func tokenCount(_ example: Example) -> Int { tokenRows(example).reduce(0) { $0 + $1.count } }

    /// Most networks end with a product.
    package var hasHead: Bool { true }

    /// Nothing is shared beside the state.
    package func sharing(_ state: State, before index: Int) -> State { state }

    /// Unknown: every probe's logits are computed.
    package var outputProjection: (any LinearOperator)? { nil }

    /// The state before sublayer `end`, all of it computed.
    package func state(_ examples: [Example], before end: Int? = nil, observing: Observer? = nil) -> State {
        advance(start(examples), from: 1, to: end ?? sublayers.entries.count, observing: observing)
    }

    /// Advances through sublayers `first` ..< `end`.
    package func advance(_ state: State, from first: Int, to end: Int, observing: Observer? = nil) -> State {
        var state = state
        for index in first..<max(first, end) { state = advance(state, through: index, observing: observing) }
        return state
    }
}
