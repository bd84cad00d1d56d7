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
    /// Its logits, where they fit into `logitsLimit`; else they are computed again for every probe.
    private let logits: [Matrix]?

    /// Most bytes of reference logits that are kept.
    static var logitsLimit: Int { 256 << 20 }
    /// Predictions of one batch, about.
    static var batchPredictions: Int { 256 }
    /// Rows of logits that are computed at a time: what they take stays in the cache.
    static var logitRows: Int { 64 }

    /// Runs the reference over `examples` once.
    public init(reference: Net, examples: [Net.Example], threads: Int = 2) throws {
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
        logits = bytes > Self.logitsLimit ? nil : outputs.map { reference.logits($0, observing: nil) }
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
        var kl = [Double](repeating: 0, count: targets.count)
        var crossEntropy = kl
        for first in stride(from: 0, to: targets.count, by: Self.logitRows) {
            let rows = first..<min(first + Self.logitRows, targets.count)
            let q = probe.logits(changed.slice(rows: rows), observing: nil)
            let p = logits == nil ? reference.logits(outputs[batch].slice(rows: rows), observing: nil) : nil
            for (place, row) in rows.enumerated() {
                let columns = q.columns
                q.storage.withUnsafeBufferPointer { q in
                    guard let q = q.baseAddress.map({ $0 + place * columns }) else { return }
                    if let target = targets[row] {
                        crossEntropy[row] = Double(logSumExp(q, count: columns)) - Double(q[target])
                    }
                    (p ?? logits?[batch])?.storage.withUnsafeBufferPointer { p in
                        guard let p = p.baseAddress else { return }
                        kl[row] = klDivergence(p + (logits == nil ? place : row) * columns, q, count: columns)
                    }
                }
            }
        }
        var row = 0
        return answers.map { answers in
            defer { row += answers.count }
            let span = row..<row + answers.count
            return ItemLoss(
                kl: TokenLoss(nats: kl[span].reduce(0, +), tokens: answers.count),
                crossEntropy: TokenLoss(
                    nats: crossEntropy[span].reduce(0, +), tokens: answers.count { $0 != nil }))
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
