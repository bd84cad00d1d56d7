import BitplanKernels
import BitplanTensors
import PlanFormat

/// Sees the input of a product: the tensor's name and the activations (tokens, columns).
package typealias ProductObserver = (String, Matrix) -> Void

/// One step of a network: what it runs over whole sequences, what it runs for one more token, and how much
/// work that is.
///
/// A conformer reads its matrices and vectors from a `ParameterReader` in its initializer; `SublayerList`
/// gives it its kind and depth. Layout, measuring from a sublayer on, cached decoding, latency and energy
/// follow from the list.
///
/// The backward stands in the conformer's file, beside the forward that it differentiates: it gets the
/// gradient of the state behind the sublayer and returns that of the state before it, and adds the gradients
/// of its parameters by the names it read them under. What it has to keep of the forward are the inputs of
/// its products, which `observing` is shown under the same names.
protocol Sublayer: Sendable {
    /// What it runs for an item.
    var work: SublayerWork { get }

    /// Runs over all tokens of the batch, residual and norm included.
    func forward(_ state: inout NetworkState, observing: ProductObserver?)

    /// Runs over all tokens of the batch and keeps in `memory`, one history a sequence, what later steps read
    /// of them.
    func read(_ state: inout NetworkState, into memory: inout [KeyValueHistory])

    /// What it remembers before the first step, one history a row; nothing where steps need none.
    func memory(before state: NetworkState) -> [KeyValueHistory]

    /// Runs one more token of every row.
    ///
    /// - Shapes: `x` (rows, width); `memory` has a history a row, or none.
    /// - Parameters:
    ///   - positions: each token's place in its sequence.
    ///   - scores: memory for the scores of attention, which grows as needed.
    func step(
        _ x: inout Matrix, _ memory: inout [KeyValueHistory], positions: [Int], scores: inout [Float])
}

/// Sublayers at the ends of a network, and those of encoders, take no part in steps; only attentions remember
/// something.
extension Sublayer {
    func forward(_ state: inout NetworkState, observing: ProductObserver?) {}

    func read(_ state: inout NetworkState, into memory: inout [KeyValueHistory]) {
        forward(&state, observing: nil)
    }

    func memory(before state: NetworkState) -> [KeyValueHistory] { [] }

    func step(
        _ x: inout Matrix, _ memory: inout [KeyValueHistory], positions: [Int], scores: inout [Float]
    ) {}
}
