import BitplanEncoding
import BitplanKernels
import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanTensors
import PlanFormat
import Synchronization

/// Measures what probes of a network lose against the network itself, prediction by prediction, on fixed
/// data.
///
/// Items are scored in batches without padding; two equal networks score exactly 0. Results do not depend on
/// the number of threads.
package struct Evaluator<Net: Network>: Sendable {
    /// The network in full precision.
    package let reference: Net
    /// Threads, each with batches of its own.
    package let threads: Int
    let batches: [[Net.Example]]
    /// The right answers, by batch.
    let targets: [[Int?]]
    /// What the reference predicts from, by batch.
    let outputs: [Matrix]
    /// Its logits, by batch, where they fit into `logitsLimit`.
    let logits: [Matrix]?
    /// Else what they are sketched by, where there is an output projection.
    let sketches: Sketches?
    /// CPU seconds of one evaluation of the reference: all sublayers and all logits.
    package let evaluationSeconds: Double
    /// Whether weights are multiplied as sums of two BF16 numbers, the reference's and the probes' alike.
    private let splitsWeights: Bool

    /// Sketches of the reference's predictions, by batch, and the rows of its output projection.
    struct Sketches: Sendable {
        let byBatch: [PredictionSketch]
        let table: Matrix
        /// Positions of each batch that may be scored by all logits too, with their places in the order of
        /// all such positions.
        let anchors: [[(place: Int, position: Int)]]
    }

    /// Most bytes of reference logits that are kept.
    static var logitsLimit: Int { 256 << 20 }
    /// Predictions of one batch, about.
    static var batchPredictions: Int { 256 }
    /// Rows of logits that are computed at a time: what they take stays in the cache.
    static var logitRows: Int { 64 }
    /// Most anchors, about; all predictions where there are fewer.
    static var anchorCount: Int { 1024 }
    /// How much the correction that anchors give may err, as a share of KL.
    static var anchorError: Double { 0.0025 }

    /// Runs the reference over `examples` once.
    ///
    /// - Parameters:
    ///   - logitsLimit: most bytes of its logits that are kept; beyond them probes are scored by
    ///     `PredictionSketch`.
    ///   - usesSketches: if not, they are computed again for every probe.
    ///   - splitsWeights: whether what is sketched is multiplied by `SplitMatrix` too, where that is fast.
    package init(
        reference: Net, examples: [Net.Example], threads: Int = 2, logitsLimit: Int? = nil,
        usesSketches: Bool = true, splitsWeights: Bool = false
    ) throws {
        var batches: [[Net.Example]] = []
        var predictions = Self.batchPredictions
        for example in examples {
            if predictions >= Self.batchPredictions {
                batches.append([])
                predictions = 0
            }
            batches[batches.count - 1].append(example)
            predictions += reference.targets(example).count
        }
        self.threads = threads
        self.batches = batches
        targets = batches.map { $0.flatMap { reference.targets($0) } }
        let positions = targets.reduce(0) { $0 + $1.count }
        let limit = logitsLimit ?? Self.logitsLimit
        let isSketched =
            usesSketches && reference.outputProjection.map { positions * $0.rows * 4 > limit } ?? false
        self.splitsWeights = splitsWeights && isSketched && SplitMatrix.isFast
        let reference = self.splitsWeights ? try Self.split(reference) : reference
        self.reference = reference
        let seconds = Mutex(0.0)
        @Sendable func timed<Value>(_ body: () throws -> Value) rethrows -> Value {
            let start = threadSeconds()
            let value = try body()
            let end = threadSeconds()
            seconds.withLock { $0 += end - start }
            return value
        }
        let outputs = try concurrentMap(count: batches.count, threads: threads) { [batches] index in
            timed { reference.outputs(reference.state(batches[index])) }
        }
        self.outputs = outputs
        let classes =
            outputs.first.map {
                reference.logits(Matrix(rows: 1, columns: $0.columns), observing: nil).columns
            } ?? 0
        let keepsLogits = positions * classes * 4 <= limit
        logits =
            keepsLogits
            ? try concurrentMap(count: batches.count, threads: threads) { index in
                timed { reference.logits(outputs[index], observing: nil) }
            } : nil
        guard isSketched, let projection = reference.outputProjection else {
            sketches = nil
            evaluationSeconds = seconds.withLock { $0 }
            return
        }
        let table = projection.decoded()
        let transposed = DenseMatrix(table.transposed())
        let byBatch = try concurrentMap(count: batches.count, threads: threads) { [targets] index in
            PredictionSketch(
                outputs: outputs[index], targets: targets[index], seed: UInt64(index), transposed: transposed
            ) { rows in timed { reference.logits(outputs[index].slice(rows: rows), observing: nil) } }
        }
        evaluationSeconds = seconds.withLock { $0 }
        let step = max(1, positions / Self.anchorCount)
        var first = 0
        let anchors = outputs.map { outputs -> [(place: Int, position: Int)] in
            defer { first += outputs.rows }
            return (0..<outputs.rows).filter { (first + $0) % step == step / 2 }
                .map { ((first + $0) / step, $0) }
        }
        sketches = Sketches(byBatch: byBatch, table: table, anchors: anchors)
    }

    /// The network with split weights, those that tokens look up excepted.
    private static func split(_ network: Net) throws -> Net {
        let names = network.layout.sublayers.flatMap(\.matrices).map(\.tensor)
        var matrices: [String: any LinearOperator] = [:]
        for name in names where !network.tokenMatrices.contains(name) {
            matrices[name] = SplitMatrix(try network.weights.matrix(name).decoded())
        }
        return try network.replacing(matrices)
    }

    /// The operator of a probe's weights: of the reference's kind.
    func weights(_ matrix: Matrix, of tensor: String) -> any LinearOperator {
        splitsWeights && !reference.tokenMatrices.contains(tensor) ? SplitMatrix(matrix) : DenseMatrix(matrix)
    }

    /// The operator of an encoded matrix in a probe.
    ///
    /// - Throws: `QuantizationError` or `PackedMatrixError` where the parts do not fit the scheme.
    package func measuring(_ packed: PackedMatrix, of tensor: String) throws -> any LinearOperator {
        try LinearOperators.measuring(packed) { weights($0, of: tensor) }
    }

    /// Items of each batch: a measurement may end behind any of them.
    package var batchSizes: [Int] { batches.map(\.count) }

    /// The states before sublayer `index` (the embedding is 0), by batch.
    package func states(
        of network: Net, before index: Int, batches range: Range<Int>? = nil
    ) throws -> [Net.State] {
        let range = range ?? batches.indices
        return try concurrentMap(count: range.count, threads: threads) {
            network.state(batches[range.lowerBound + $0], before: index)
        }
    }

    /// The states one sublayer further.
    package func advance(_ states: [Net.State], through index: Int, of network: Net) throws -> [Net.State] {
        try concurrentMap(count: states.count, threads: threads) {
            network.advance(states[$0], through: index, observing: nil)
        }
    }

    /// What every item loses under `probe`.
    package func losses(of probe: Net) throws -> [ItemLoss] {
        try scores(of: probe, from: 0, states: [], batches: batches.indices).losses
    }

    /// What every item loses under the reference: no KL, and the cross-entropy that others are compared with.
    package func referenceLosses() throws -> [ItemLoss] {
        guard let sketches else { return try losses(of: reference) }
        return batches.indices.flatMap { batch in
            items(of: batch, sketches.byBatch[batch].crossEntropy.map { (0, $0) })
        }
    }

    /// The scores of the items of some batches under `probe`.
    ///
    /// - Parameters:
    ///   - first: the first sublayer in which the probe differs from the network that made `states`.
    ///   - states: that network's states before `first`, one for each of the batches; not read where `first`
    ///     is the embedding.
    package func scores(
        of probe: Net, from first: Int, states: [Net.State], batches range: Range<Int>
    ) throws -> [ItemScore] {
        let end = probe.sublayers.entries.count
        @Sendable func outputs(_ place: Int) -> Matrix {
            let state =
                first > 0
                ? probe.advance(states[place], from: first, to: end)
                : probe.state(batches[range.lowerBound + place])
            return probe.outputs(state)
        }
        if let sketches, let projection = probe.outputProjection {
            return try sketchedScores(of: probe, projection, sketches, batches: range, outputs: outputs)
        }
        return try concurrentMap(count: range.count, threads: threads) {
            compare(probe, outputs($0), batch: range.lowerBound + $0)
        }.flatMap { $0.map { ItemScore(loss: $0) } }
    }

    /// The losses of one batch by all its logits, from what the probe predicts from.
    private func compare(_ probe: Net, _ changed: Matrix, batch: Int) -> [ItemLoss] {
        let targets = targets[batch]
        var losses: [(kl: Double, crossEntropy: Double)] = []
        for first in stride(from: 0, to: targets.count, by: Self.logitRows) {
            let rows = first..<min(first + Self.logitRows, targets.count)
            let p =
                logits?[batch].slice(rows: rows)
                ?? reference.logits(outputs[batch].slice(rows: rows), observing: nil)
            losses += compare(
                p, probe.logits(changed.slice(rows: rows), observing: nil), targets: targets[rows])
        }
        return items(of: batch, losses)
    }

    /// KL and cross-entropy of every row of logits.
    ///
    /// - Shapes: `p` of the reference and `q` of the probe, both (targets, classes).
    func compare(_ p: Matrix, _ q: Matrix, targets: ArraySlice<Int?>) -> [(kl: Double, crossEntropy: Double)]
    {
        p.storage.withUnsafeBufferPointer { p in
            q.storage.withUnsafeBufferPointer { rows in
                guard let p = p.baseAddress, let first = rows.baseAddress else { return [] }
                let columns = q.columns
                return targets.enumerated().map { row, target in
                    let line = first + row * columns
                    return (
                        klDivergence(p + row * columns, line, count: columns),
                        target.map { Double(logSumExp(line, count: columns)) - Double(line[$0]) } ?? 0
                    )
                }
            }
        }
    }

    /// The losses of a batch's items from those of its predictions.
    func items(of batch: Int, _ losses: [(kl: Double, crossEntropy: Double)]) -> [ItemLoss] {
        var row = 0
        return batches[batch].map { example in
            let answers = reference.targets(example)
            defer { row += answers.count }
            let span = losses[row..<row + answers.count]
            return ItemLoss(
                kl: TokenLoss(nats: span.reduce(0) { $0 + $1.kl }, tokens: answers.count),
                crossEntropy: TokenLoss(
                    nats: span.reduce(0) { $0 + $1.crossEntropy }, tokens: answers.count { $0 != nil }))
        }
    }
}
