import Kernels
import Metrics
import Models
import PlanFormat
import Tensors

/// Measures what probes of a network lose against the network itself, prediction by prediction, on fixed data.
///
/// Items are scored in batches without padding; two equal networks score exactly 0. Results do not depend on the number of threads.
public struct Evaluator<Net: Network>: Sendable {
    /// The network in full precision.
    public let reference: Net
    /// Threads, each with batches of its own.
    public let threads: Int
    let batches: [[Net.Example]]
    /// What the reference predicts from, by batch.
    private let outputs: [Matrix]
    /// Its logits, where they fit into `logitsLimit`.
    private let logits: [Matrix]?
    /// Else sketches of its predictions, by batch, and the rows of its output projection, where it has one.
    private let sketches: [PredictionSketch]
    private let table: Matrix

    /// Most bytes of reference logits that are kept.
    static var logitsLimit: Int { 256 << 20 }
    /// Predictions of one batch, about.
    static var batchPredictions: Int { 256 }
    /// Rows of logits that are computed at a time: what they take stays in the cache.
    static var logitRows: Int { 64 }

    /// Runs the reference over `examples` once.
    ///
    /// - Parameter logitsLimit: most bytes of its logits that are kept; beyond them probes are scored by `PredictionSketch` where they
    ///   share the output projection.
    public init(reference: Net, examples: [Net.Example], threads: Int = 2, logitsLimit: Int? = nil) throws {
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
        self.reference = reference
        self.threads = threads
        self.batches = batches
        let outputs = try concurrentMap(count: batches.count, threads: threads) { [batches] index in
            reference.outputs(reference.state(batches[index]))
        }
        self.outputs = outputs
        let classes =
            outputs.first.map {
                reference.logits(Matrix(rows: 1, columns: $0.columns), observing: nil).columns
            } ?? 0
        let bytes = outputs.reduce(0) { $0 + $1.rows } * classes * 4
        let keepsLogits = bytes <= (logitsLimit ?? Self.logitsLimit)
        logits = keepsLogits ? outputs.map { reference.logits($0, observing: nil) } : nil
        guard !keepsLogits, let projection = reference.outputProjection else {
            sketches = []
            table = Matrix(rows: 0, columns: 0)
            return
        }
        let table = projection.decoded()
        let transposed = DenseMatrix(table.transposed())
        sketches = try concurrentMap(count: batches.count, threads: threads) { [batches] index in
            PredictionSketch(
                outputs: outputs[index], targets: batches[index].flatMap { reference.targets($0) },
                seed: UInt64(index), transposed: transposed
            ) { reference.logits(outputs[index].slice(rows: $0), observing: nil) }
        }
        self.table = table
    }

    /// Whether a probe differs from the reference before the output projection only.
    private func sharesProjection(_ probe: Net) -> Bool {
        guard !sketches.isEmpty, let ours = reference.outputProjection, let its = probe.outputProjection
        else {
            return false
        }
        return (ours as AnyObject) === (its as AnyObject)
    }

    /// The states before sublayer `index` (the embedding is 0), by batch.
    public func states(of network: Net, before index: Int) throws -> [Net.State] {
        try concurrentMap(count: batches.count, threads: threads) {
            network.state(batches[$0], before: index)
        }
    }

    /// The states one sublayer further.
    public func advance(_ states: [Net.State], through index: Int, of network: Net) throws -> [Net.State] {
        try concurrentMap(count: batches.count, threads: threads) {
            network.advance(states[$0], through: index, observing: nil)
        }
    }

    /// What every item loses under `probe`.
    ///
    /// - Parameters:
    ///   - first: the first sublayer in which the probe differs from the network that made `states`.
    ///   - states: that network's states before `first`; where nil, or where `first` is the embedding, the probe runs from the start.
    public func losses(of probe: Net, from first: Int = 0, states: [Net.State]? = nil) throws -> [ItemLoss] {
        let end = probe.layout.sublayers.count
        return try concurrentMap(count: batches.count, threads: threads) { index in
            let state: Net.State
            if first > 0, let states {
                state = probe.advance(states[index], from: first, to: end)
            } else {
                state = probe.state(batches[index])
            }
            return compare(probe, probe.outputs(state), batch: index)
        }.flatMap { $0 }
    }

    /// The losses of one batch, from what the probe predicts from.
    private func compare(_ probe: Net, _ changed: Matrix, batch: Int) -> [ItemLoss] {
        let answers = batches[batch].map { reference.targets($0) }
        let targets = answers.flatMap { $0 }
        var losses = [(kl: Double, crossEntropy: Double)](repeating: (0, 0), count: targets.count)
        var whole = Array(targets.indices)
        if sharesProjection(probe) {
            whole = targets.indices.filter { position in
                guard
                    let loss = sketches[batch].loss(
                        at: position, changed, table: table, target: targets[position])
                else { return true }
                losses[position] = loss
                return false
            }
        }
        for first in stride(from: 0, to: whole.count, by: Self.logitRows) {
            let rows = Array(whole[first..<min(first + Self.logitRows, whole.count)])
            let q = probe.logits(changed.gathering(rows: rows), observing: nil)
            let p = logits?[batch] ?? reference.logits(outputs[batch].gathering(rows: rows), observing: nil)
            let columns = q.columns
            q.storage.withUnsafeBufferPointer { q in
                p.storage.withUnsafeBufferPointer { p in
                    guard let q = q.baseAddress, let p = p.baseAddress else { return }
                    for (place, row) in rows.enumerated() {
                        let line = q + place * columns
                        losses[row].kl = klDivergence(
                            p + (logits == nil ? place : row) * columns, line, count: columns)
                        if let target = targets[row] {
                            losses[row].crossEntropy =
                                Double(logSumExp(line, count: columns)) - Double(line[target])
                        }
                    }
                }
            }
        }
        var row = 0
        return answers.map { answers in
            defer { row += answers.count }
            let span = losses[row..<row + answers.count]
            return ItemLoss(
                kl: TokenLoss(nats: span.reduce(0) { $0 + $1.kl }, tokens: answers.count),
                crossEntropy: TokenLoss(
                    nats: span.reduce(0) { $0 + $1.crossEntropy }, tokens: answers.count { $0 != nil }))
        }
    }
}

extension LossMeasurement {
    /// The mean losses per prediction.
    public init(_ losses: [ItemLoss], metric: Double? = nil) {
        let kl = losses.map(\.kl)
        self.init(
            klNats: kl.reduce(.zero, +).natsPerToken ?? 0,
            standardError: (try? Estimate(perTokenOf: kl))?.standardError,
            crossEntropyNats: losses.map(\.crossEntropy).reduce(.zero, +).natsPerToken ?? 0,
            sentences: losses.count, metric: metric)
    }
}
