import BitplanKernels
import BitplanTensors
import PlanFormat

/// One step of a network: what it runs over whole sequences, what it runs for one more token, and how much
/// work that is.
///
/// A conformer reads its matrices and vectors from a `ParameterReader` in its initializer; `SublayerList`
/// gives it its kind and depth. Layout, measuring from a sublayer on, cached decoding, latency and energy
/// follow from the list.
///
/// The backward stands in the conformer's file, beside the forward that it differentiates.
protocol Sublayer: Sendable {
    /// What it runs for an item.
    var work: SublayerWork { get }

    /// Runs over all tokens of the batch, residual and norm included.
    func forward(_ state: inout NetworkState, observing: ForwardObserver?)

    /// Takes the gradient of the state behind the sublayer to that of the state before it, and hands the
    /// gradients of its weights to `sink`, by the names it read them under.
    ///
    /// - Parameters:
    ///   - gradient: in the form of a state: the gradients of both stacks, and their sequences.
    ///   - tape: what the forward of the same batch wrote down.
    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink)

    /// Runs over all tokens of the batch and keeps in `memory`, one a sequence, what later steps read
    /// of them.
    func read(_ state: inout NetworkState, into memory: inout [SequenceMemory])

    /// What it remembers before the first step, one memory a row; nothing where steps need none.
    func memory(before state: NetworkState) -> [SequenceMemory]

    /// Runs one more token of every row.
    ///
    /// - Shapes: `x` (rows, width); `memory` has one a row, or none.
    /// - Parameters:
    ///   - positions: each token's place in its sequence.
    ///   - scores: memory for the scores of attention, which grows as needed.
    func step(
        _ x: inout Matrix, _ memory: inout [SequenceMemory], positions: [Int], scores: inout [Float])
}

/// Sublayers at the ends of a network, and those of encoders, take no part in steps; only attentions and
/// recurrent cells remember something.
extension Sublayer {
    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {}

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {}

    func read(_ state: inout NetworkState, into memory: inout [SequenceMemory]) {
        forward(&state, observing: nil)
    }

    func memory(before state: NetworkState) -> [SequenceMemory] { [] }

    func step(
        _ x: inout Matrix, _ memory: inout [SequenceMemory], positions: [Int], scores: inout [Float]
    ) {}
}
