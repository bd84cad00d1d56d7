import BitplanMeasurements
import BitplanMetrics
import PlanFormat

/// Cells that are measured on more and more items until they are known well enough.
///
/// Items are those of the data in their order, the same for every cell. A cell that stopped is estimated for
/// all items: by how much the cells that went on have changed since (a chain of ratio estimates), since what
/// is hard about an item is hard for all of them.
struct CellRounds<Source: CellMeasurer> {
    private let measurer: Source
    private let assignments: [Assignment]
    private let precision: Double?
    /// What an item of each cell costs.
    private let work: [Int]
    /// Batches up to which each round goes.
    private let ends: [Int]
    private var round = 0
    private var scores: [[ItemScore]]
    private var isLive: [Bool]
    /// What the losses of a stopped cell are multiplied with.
    private var growth: [Double]

    /// Parts of the items that the rounds end with, and fewest items of the first.
    private static var parts: [Double] { [1.0 / 12, 1.0 / 6, 1.0 / 3, 2.0 / 3, 1] }
    private static var fewestItems: Int { 12 }

    init(_ measurer: Source, _ assignments: [Assignment], precision: Double?) {
        self.measurer = measurer
        self.assignments = assignments
        self.precision = precision
        work = assignments.map(measurer.work)
        scores = assignments.map { _ in [] }
        isLive = assignments.map { _ in true }
        growth = assignments.map { _ in 1 }
        let sizes = measurer.batchSizes
        let total = sizes.reduce(0, +)
        var ends: [Int] = []
        for part in precision == nil ? [1] : Self.parts {
            let wanted = max(Self.fewestItems, Int((part * Double(total)).rounded()))
            var (end, items) = (0, 0)
            while end < sizes.count, items < wanted {
                items += sizes[end]
                end += 1
            }
            if end > ends.last ?? 0 { ends.append(end) }
        }
        self.ends = ends
    }

    /// The batches of the next round; nil after the last.
    var next: Range<Int>? {
        guard round < ends.count, isLive.contains(true) else { return nil }
        return (round == 0 ? 0 : ends[round - 1])..<ends[round]
    }

    private var live: [Int] { assignments.indices.filter { isLive[$0] } }

    /// Measures the live cells on batches that no cell has seen.
    mutating func measure(_ batches: Range<Int>, progress: (Int, Int) -> Void) throws {
        let live = live
        let before = live.map { kl(scores[$0]) }
        let sizes = measurer.batchSizes
        let items = sizes[batches].reduce(0, +)
        let rest = sizes[batches.lowerBound...].reduce(0, +) * live.reduce(0) { $0 + work[$1] }
        let done = assignments.indices.reduce(0) { $0 + scores[$1].count * work[$1] }
        var count = 0
        let measured = try measurer.scores(
            of: live.map { assignments[$0] }, around: measurer.fullPrecision, batches: batches
        ) { index, _ in
            count += items * work[live[index]]
            progress(done + count, done + rest)
        }
        for (cell, measured) in zip(live, measured) { scores[cell] += measured }
        round += 1
        let ratios = zip(live, before).compactMap { $1 > 0 ? kl(scores[$0]) / $1 : nil }
        guard batches.lowerBound > 0, !ratios.isEmpty else { return }
        let change = ratios.reduce(0, +) / Double(ratios.count)
        for cell in assignments.indices where !isLive[cell] { growth[cell] *= change }
    }

    /// Ends the cells that are known well enough.
    ///
    /// - Parameter choice: the sublayer that a cell is a choice for, and its bytes.
    mutating func stop(_ choice: (Int) -> (sublayer: Int?, bytes: Int)) {
        guard let precision, round < ends.count else { return }
        let errors = standardErrors()
        let cells = assignments.indices.map { cell in
            StoppingRule.Cell(
                sublayer: choice(cell).sublayer, bytes: choice(cell).bytes,
                klNats: kl(scores[cell]) * growth[cell], standardError: errors[cell])
        }
        let needed = StoppingRule(precision: precision).needMore(cells)
        for cell in live where !needed[cell] {
            isLive[cell] = false
            stoppedError[cell] = errors[cell]
        }
    }

    /// Standard errors of cells when they stopped.
    private var stoppedError: [Int: Double] = [:]

    /// Standard errors of the losses over all items, beside what all live cells have in common.
    ///
    /// An item's part in the losses of all cells is known from all of them; a cell is uncertain by its
    /// deviations from that part.
    private func standardErrors() -> [Double] {
        let live = live
        let losses = live.map { scores[$0].losses.map(\.kl) }
        let total = measurer.batchSizes.reduce(0, +)
        guard let count = losses.first?.count, count > 1 else {
            return assignments.map { _ in .infinity }
        }
        var shares = [Double](repeating: 0, count: count)
        for losses in losses {
            let sum = losses.reduce(0) { $0 + $1.nats }
            guard sum > 0 else { continue }
            for item in 0..<count { shares[item] += losses[item].nats / sum / Double(live.count) }
        }
        let tokens = Double(losses[0].reduce(0) { $0 + $1.tokens })
        let unseen = (1 - Double(count) / Double(total)).squareRoot()
        var errors = assignments.indices.map { stoppedError[$0] ?? 0 }
        for (cell, losses) in zip(live, losses) {
            let sum = losses.reduce(0) { $0 + $1.nats }
            let squares = zip(losses, shares).reduce(0) { squares, item in
                let residual = item.0.nats - sum * item.1
                return squares + residual * residual
            }
            errors[cell] =
                unseen * (Double(count) / Double(count - 1) * squares).squareRoot() / tokens
        }
        return errors
    }

    private func kl(_ scores: [ItemScore]) -> Double {
        scores.losses.map(\.kl).reduce(.zero, +).natsPerToken ?? 0
    }

    /// What was measured of every cell, estimated for all items where it stopped before.
    func measurements() throws -> [LossMeasurement] {
        let reference = try measurer.referenceLosses()
        let full = LossMeasurement(reference).crossEntropyNats
        return assignments.indices.map { cell in
            let losses = scores[cell].losses
            var measurement = LossMeasurement(losses)
            guard losses.count < reference.count else { return measurement }
            let seen = LossMeasurement(Array(reference.prefix(losses.count))).crossEntropyNats
            measurement.klNats *= growth[cell]
            measurement.standardError = measurement.standardError.map { $0 * growth[cell] }
            measurement.crossEntropyNats = full + growth[cell] * (measurement.crossEntropyNats - seen)
            return measurement
        }
    }
}
