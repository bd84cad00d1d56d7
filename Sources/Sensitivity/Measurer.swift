import BitplanEncoding
import BitplanKernels
import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanTensors
import PlanFormat

/// Measures assignments of schemes to sublayers, as many at a time as there are: cells of a table, plans,
/// neighbours of a plan.
///
/// Assignments that differ from a common `context` from sublayer i on share everything before i: those
/// activations are computed once, kept for one sublayer, and moved on from there. An encoder cell runs the
/// layers above it, a decoder cell never runs the encoder.
package struct Measurer<Family: ModelFamily>: CellMeasurer, Sendable {
    /// The encoded matrices.
    package let encodings: Encodings<Family>
    /// What scores probes.
    package let evaluator: Evaluator<Family.Net>
    /// Whether activations are kept; if not, every measurement runs the whole model, as a comparison.
    package let reusesPrefixes: Bool
    /// What is kept of measurements, and looked at before each; nil keeps nothing.
    package let records: StoredExperiment?
    /// What assignments give schemes to.
    package let layout: ModelLayout
    /// Per sublayer of `layout`, the first of the network's sublayers that changes with it.
    private let places: [Int]

    /// A measurer over an evaluator's data.
    package init(
        encodings: Encodings<Family>, evaluator: Evaluator<Family.Net>, unit: PlanUnit = .sublayer,
        reusesPrefixes: Bool = true, records: StoredExperiment? = nil
    ) {
        layout = encodings.model.layout.divided(into: unit)
        places = layout.places
        self.encodings = encodings
        self.evaluator = evaluator
        self.reusesPrefixes = reusesPrefixes
        self.records = records
    }

    /// Items of each batch: a measurement may end behind any of them.
    package var batchSizes: [Int] { evaluator.batchSizes }

    /// What every item loses in full precision.
    package func referenceLosses() throws -> [ItemLoss] { try evaluator.referenceLosses() }

    /// Weights that an item of an assignment passes through: those behind the first change from the context.
    package func work(of assignment: Assignment, around context: Assignment) -> Int {
        layout.work(from: firstDifference(assignment, context))
    }

    /// The network under an assignment, over decoded weights; what `base` already has is taken from there.
    package func network(
        _ assignment: Assignment, from base: (network: Family.Net, assignment: Assignment)? = nil
    ) throws -> Family.Net {
        let (network, known) = base ?? (evaluator.reference, fullPrecision)
        let changed = layout.sublayers.indices.filter { assignment[$0] != known[$0] }
        if changed.isEmpty { return network }
        let changes = changed.map { (layout.sublayers[$0], assignment[$0]) }
        return try network.replacing(
            try encodings.operators(of: changes, for: evaluator), vectors: try encodings.vectors(of: changes))
    }

    /// The first of the network's sublayers in which two assignments differ; their number where there is
    /// none.
    func firstDifference(_ assignment: Assignment, _ other: Assignment) -> Int {
        assignment.indices.filter { assignment[$0] != other[$0] }.map { places[$0] }.min()
            ?? evaluator.reference.layout.sublayers.count
    }

    /// What every item loses under each assignment, in their order.
    ///
    /// - Parameters:
    ///   - context: what most of the assignments share; any assignment is right, a near one is fast.
    ///   - each: called with the index of every assignment once its losses are known.
    package func losses(
        of assignments: [Assignment], around context: Assignment,
        each: (Int, [ItemLoss]) throws -> Void = { _, _ in }
    ) throws -> [[ItemLoss]] {
        try scores(of: assignments, around: context, batches: evaluator.batchSizes.indices) {
            try each($0, $1.losses)
        }.map(\.losses)
    }

    /// The scores of the items of some batches under each assignment.
    ///
    /// - Parameters: as of `losses`; `each` gets the scores.
    package func scores(
        of assignments: [Assignment], around context: Assignment, batches: Range<Int>,
        each: (Int, [ItemScore]) throws -> Void = { _, _ in }
    ) throws -> [[ItemScore]] {
        var scores = [[ItemScore]](repeating: [], count: assignments.count)
        let firsts = assignments.map { assignment in
            reusesPrefixes ? firstDifference(assignment, context) : 0
        }
        let sizes = evaluator.batchSizes
        let start = sizes[..<batches.lowerBound].reduce(0, +)
        let items = start..<start + sizes[batches].reduce(0, +)
        var waiting = assignments.indices.sorted { (firsts[$0], $0) < (firsts[$1], $1) }
        while !waiting.isEmpty {
            var run = PrefixRun(measurer: self, context: context, batches: batches)
            var others: [Int] = []
            for index in waiting {
                func measure() throws -> [ItemScore] {
                    try run.scores(of: assignments[index], from: firsts[index])
                }
                if let records {
                    guard
                        let kept = try records.scores(of: assignments[index], items: items, measure: measure)
                    else {
                        others.append(index)
                        continue
                    }
                    scores[index] = kept
                } else {
                    scores[index] = try measure()
                }
                try each(index, scores[index])
            }
            // What other processes are at is theirs: it is waited for, or done here where they do not finish.
            if others.count == waiting.count { StoredExperiment.wait() }
            waiting = others
        }
        return scores
    }
}

/// Measurements in order of the first sublayer that they change: what lies before it is computed once.
private struct PrefixRun<Family: ModelFamily> {
    let measurer: Measurer<Family>
    let context: Assignment
    let batches: Range<Int>
    private var base: (network: Family.Net, assignment: Assignment)?
    private var states: (before: Int, all: [Family.Net.State])?

    init(measurer: Measurer<Family>, context: Assignment, batches: Range<Int>) {
        self.measurer = measurer
        self.context = context
        self.batches = batches
    }

    /// The scores of an assignment that equals the context before sublayer `first`, which is not below that
    /// of the call before.
    mutating func scores(of assignment: Assignment, from first: Int) throws -> [ItemScore] {
        let base = try base ?? (measurer.network(context), context)
        self.base = base
        let evaluator = measurer.evaluator
        if first > 0 {
            var current = states ?? (0, [])
            while current.before < first {
                current.all =
                    current.before == 0
                    ? try evaluator.states(of: base.network, before: 1, batches: batches)
                    : try evaluator.advance(current.all, through: current.before, of: base.network)
                current.before += 1
                let (network, states, before) = (base.network, current.all, current.before)
                current.all = try concurrentMap(count: states.count, threads: evaluator.threads) {
                    network.sharing(states[$0], before: before)
                }
            }
            states = current
        }
        return try evaluator.scores(
            of: try measurer.network(assignment, from: base), from: first, states: states?.all ?? [],
            batches: batches)
    }
}

extension Encodings {
    /// The operators of sublayers under schemes: what a probe of an evaluator's reference replaces.
    package func operators(
        of sublayers: [(SublayerShape, Scheme)], for evaluator: Evaluator<Family.Net>
    ) throws -> [String: any LinearOperator] {
        let encoded = sublayers.flatMap { sublayer, scheme in
            sublayer.matrices.map { (shape: $0, scheme: scheme) }
        }
        var matrices: [String: any LinearOperator] = [:]
        let all = try packed(encoded, threads: evaluator.threads)
        for (shape, packed) in zip(encoded.map(\.shape), all) {
            matrices[shape.tensor] = try evaluator.measuring(packed, of: shape.tensor)
        }
        return matrices
    }

    /// The vectors of a model under a scheme, where they are among the sublayers.
    func vectors(of sublayers: [(SublayerShape, Scheme)]) throws -> [String: [Float]] {
        guard let scheme = sublayers.first(where: \.0.isVectors)?.1 else { return [:] }
        return try model.storedVectors(as: scheme == .fp32 ? .fp32 : .fp16)
    }
}
