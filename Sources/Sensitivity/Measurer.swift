import Kernels
import Models
import PlanFormat
import Tensors

/// A scheme for every sublayer of a layout, in its order: what a measurement is a function of.
public typealias Assignment = [Scheme]

/// Measures assignments of schemes to sublayers, as many at a time as there are: cells of a table, plans, neighbours of a plan.
///
/// Assignments that differ from a common `context` from sublayer i on share everything before i: those activations are computed once,
/// kept for one sublayer, and moved on from there. An encoder cell runs the layers above it, a decoder cell never runs the encoder.
public struct Measurer<Family: ModelFamily>: Sendable {
    /// The encoded matrices.
    public let encodings: Encodings<Family>
    /// What scores probes.
    public let evaluator: Evaluator<Family.Net>
    /// Whether activations are kept; if not, every measurement runs the whole model, as a comparison.
    public let reusesPrefixes: Bool

    /// A measurer over an evaluator's data.
    public init(
        encodings: Encodings<Family>, evaluator: Evaluator<Family.Net>, reusesPrefixes: Bool = true
    ) {
        self.encodings = encodings
        self.evaluator = evaluator
        self.reusesPrefixes = reusesPrefixes
    }

    /// The sublayers.
    public var layout: ModelLayout { evaluator.reference.layout }

    /// Everything in full precision.
    public var fullPrecision: Assignment { Assignment(repeating: .fp32, count: layout.sublayers.count) }

    /// The network under an assignment, over decoded weights; what `base` already has is taken from there.
    public func network(
        _ assignment: Assignment, from base: (network: Family.Net, assignment: Assignment)? = nil
    ) throws -> Family.Net {
        let (network, known) = base ?? (evaluator.reference, fullPrecision)
        let changed = layout.sublayers.indices.filter { assignment[$0] != known[$0] }
        if changed.isEmpty { return network }
        return try network.replacing(
            try encodings.dense(changed.map { (layout.sublayers[$0], assignment[$0]) }))
    }

    /// What every item loses under each assignment, in their order.
    ///
    /// - Parameters:
    ///   - context: what most of the assignments share; any assignment is right, a near one is fast.
    ///   - each: called with the index and the network of every assignment once its losses are known.
    public func losses(
        of assignments: [Assignment], around context: Assignment,
        each: (Int, Family.Net, [ItemLoss]) throws -> Void = { _, _, _ in }
    ) throws -> [[ItemLoss]] {
        try scores(of: assignments, around: context, batches: evaluator.batchSizes.indices) {
            try each($0, $1, $2.losses)
        }.map(\.losses)
    }

    /// The scores of the items of some batches under each assignment.
    ///
    /// - Parameters: as of `losses`; `each` gets the scores.
    public func scores(
        of assignments: [Assignment], around context: Assignment, batches: Range<Int>,
        each: (Int, Family.Net, [ItemScore]) throws -> Void = { _, _, _ in }
    ) throws -> [[ItemScore]] {
        var scores = [[ItemScore]](repeating: [], count: assignments.count)
        let firsts = assignments.map { assignment in
            reusesPrefixes
                ? assignment.indices.first { assignment[$0] != context[$0] } ?? assignment.count : 0
        }
        let base = (network: try network(context), assignment: context)
        var states: (before: Int, all: [Family.Net.State])?
        for index in assignments.indices.sorted(by: { (firsts[$0], $0) < (firsts[$1], $1) }) {
            let first = firsts[index]
            if first > 0 {
                var current =
                    try states ?? (1, evaluator.states(of: base.network, before: 1, batches: batches))
                while current.before < first {
                    current.all = try evaluator.advance(
                        current.all, through: current.before, of: base.network)
                    current.before += 1
                }
                states = current
            }
            let probe = try network(assignments[index], from: base)
            scores[index] = try evaluator.scores(
                of: probe, from: first, states: states?.all ?? [], batches: batches)
            try each(index, probe, scores[index])
        }
        return scores
    }
}
