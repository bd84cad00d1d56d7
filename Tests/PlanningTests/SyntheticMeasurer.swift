import BitplanMetrics
import BitplanPlanning
import BitplanTensors
import PlanFormat
import Synchronization

/// A model that exists only as numbers: what every sublayer loses under every scheme, alone and together with
/// others.
///
/// A plan loses the sum of its cells plus, for pairs of neighbouring sublayers, a share of the geometric mean
/// of their cells. All of it comes from a seed, so an instance takes microseconds to measure and is the same
/// everywhere.
final class SyntheticMeasurer: PlanMeasurer {
    let layout: ModelLayout
    let candidates: [Scheme]
    let encodesInOrder: Bool
    /// Per sublayer, what it loses under each candidate.
    private let cells: [[Scheme: Double]]
    /// Per sublayer, the share that it loses beyond the sum where it and the one before are squeezed.
    private let interactions: [Double]
    private let shares: [(tokens: Int, factor: Double)]
    private let metricKind: MetricKind
    private let seed: UInt64
    private let counts = Mutex(Counts())

    /// What the task's metric, an accuracy, depends on.
    enum MetricKind {
        /// The share of right predictions falls with the loss, as real metrics do.
        case followsLoss
        /// All plans are right as often; which items they get right is chance.
        case noise
        /// Plans are right on half as many items as uniform ones, whatever they lose.
        case objectsToMixtures
    }

    /// What was asked for.
    struct Counts {
        var alone = 0
        var packed = 0
        var metrics = 0
        /// Plans that were measured as packed.
        var contenders: Set<Assignment> = []
        /// Mean losses that were handed out.
        var losses: Set<Double> = []
    }

    /// - Parameters:
    ///   - interaction: how far losses are from adding up; 0 where they do.
    ///   - metric: what the task's metric depends on.
    ///   - items: items of the data.
    init(
        seed: UInt64, sublayers count: Int = 6, candidates: [Scheme] = [.bcq(1), .bcq(2), .bcq(3), .bcq(4)],
        interaction: Double = 0, encodesInOrder: Bool = false, metric: MetricKind = .followsLoss,
        items: Int = 40
    ) {
        var generator = SeededGenerator(seed: seed)
        self.seed = seed
        self.candidates = candidates
        self.encodesInOrder = encodesInOrder
        metricKind = metric
        let sublayers = (0..<count).map { index in
            SublayerShape(
                name: SublayerName("Layer", depth: index),
                matrices: [
                    MatrixShape(
                        tensor: "w\(index)", rows: 16 + generator.index(below: 200),
                        columns: 16 + generator.index(below: 200))
                ])
        }
        layout = ModelLayout(sublayers: sublayers, fixedParameters: 100)
        cells = sublayers.map { _ in
            var loss = 0.02 + generator.uniform()
            var row: [Scheme: Double] = [:]
            for scheme in candidates {
                row[scheme] = loss
                // Now and then more bits lose more, as noise has it.
                loss *= generator.uniform() < 0.1 ? 1.1 : 0.2 + 0.5 * generator.uniform()
            }
            return row
        }
        interactions = sublayers.map { _ in interaction * (2 * generator.uniform() - 0.5) }
        let tokens = (0..<items).map { _ in 1 + generator.index(below: 30) }
        let factors = tokens.map { _ in 0.5 + generator.uniform() }
        let mean =
            zip(tokens, factors).reduce(0) { $0 + Double($1.0) * $1.1 } / Double(tokens.reduce(0, +))
        shares = zip(tokens, factors).map { ($0, $1 / mean) }
    }

    var asked: Counts { counts.withLock { $0 } }

    /// What a plan truly loses, in nats per prediction; schemes that are no candidates lose nothing.
    func loss(_ assignment: Assignment) -> Double {
        let own = zip(cells, assignment).map { $0[$1] ?? 0 }
        let together = own.indices.dropFirst().reduce(0) {
            $0 + interactions[$1] * (own[$1 - 1] * own[$1]).squareRoot()
        }
        return own.reduce(0, +) + together
    }

    /// The table of a sweep: each sublayer alone.
    ///
    /// - Parameter distortion: how far, as a share, cells may be from the truth, as those of a sweep are.
    func table(distortion: Double = 0) -> SensitivityTable {
        var generator = SeededGenerator(seed: seed &+ 1)
        return SensitivityTable(
            model: ModelIdentity(type: "synthetic", sha256: "00"), layout: layout,
            provenance: Provenance(tool: "test", dataSHA256: "", sentences: 5, metric: "m"), fit: .greedy,
            candidates: candidates,
            fullPrecision: LossMeasurement(klNats: 0, standardError: nil, crossEntropyNats: 1, sentences: 5),
            byType: [],
            bySublayer: layout.sublayers.enumerated().flatMap { index, sublayer in
                candidates.map { scheme in
                    let factor = 1 + distortion * (2 * generator.uniform() - 1)
                    return SensitivityCell(
                        row: sublayer.name.description, scheme: scheme, bytes: sublayer.sizeInBytes(scheme),
                        measurement: LossMeasurement(
                            klNats: factor * (cells[index][scheme] ?? 0), standardError: nil,
                            crossEntropyNats: 1, sentences: 5))
                }
            })
    }

    private func items(_ assignment: Assignment) -> [ItemLoss] {
        let loss = loss(assignment)
        let items = shares.map { tokens, factor in
            ItemLoss(
                kl: TokenLoss(nats: Double(tokens) * factor * loss, tokens: tokens),
                crossEntropy: TokenLoss(nats: Double(tokens), tokens: tokens))
        }
        counts.withLock { _ = $0.losses.insert(LossMeasurement(items).klNats) }
        return items
    }

    func losses(of assignments: [Assignment], around context: Assignment) throws -> [[ItemLoss]] {
        counts.withLock { $0.alone += assignments.count }
        return assignments.map(items)
    }

    func packedLosses(of plans: [Assignment]) throws -> [[ItemLoss]] {
        counts.withLock {
            $0.packed += plans.count
            $0.contenders.formUnion(plans)
        }
        return plans.map(items)
    }

    func packedMeasurements(of plans: [Assignment]) throws -> [PlanMeasurement] {
        counts.withLock { $0.metrics += plans.count }
        return plans.map(measurement)
    }

    /// The same without counting.
    func measurement(of assignment: Assignment) -> PlanMeasurement {
        PlanMeasurement(items(assignment), metric: metric(assignment))
    }

    /// What is right of the items; more is better.
    private func metric(_ assignment: Assignment) -> MetricItems {
        var hash = seed
        for scheme in assignment { for byte in scheme.description.utf8 { hash = hash &* 31 &+ UInt64(byte) } }
        var noise = SeededGenerator(seed: hash)
        var difficulties = SeededGenerator(seed: seed &+ 7)
        let share =
            switch metricKind {
            case .followsLoss: 0.9 / (1 + loss(assignment))
            case .noise: 0.7
            case .objectsToMixtures: Set(assignment).count == 1 ? 0.9 : 0.45
            }
        // Items are hard or easy for all plans alike, in part.
        return .accuracy(
            isRight: shares.map { _ in (difficulties.uniform() + noise.uniform()) / 2 < share })
    }

    /// Every plan of the candidates.
    var everyPlan: [Assignment] {
        layout.sublayers.reduce([[]]) { plans, _ in plans.flatMap { plan in candidates.map { plan + [$0] } } }
    }
}
