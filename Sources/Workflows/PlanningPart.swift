import BitplanEvaluators
import BitplanMetrics
import BitplanModels
import BitplanPlanning
import BitplanSensitivity
import PlanFormat

/// A planner's measurer that knows what its store has.
package protocol StoredPlanMeasurer: PlanMeasurer {
    /// Whether the store has all that measuring an assignment would find.
    func isKept(_ assignment: Assignment, _ kind: MeasurementKind) throws -> Bool

    /// What measuring an assignment around a context costs, up to a factor.
    func work(of assignment: Assignment, around context: Assignment) -> Int
}

extension ModelMeasurer: StoredPlanMeasurer {}
extension EvaluatorMeasurer: StoredPlanMeasurer {}

/// A part of the measurements that planning asks for, made into a store.
///
/// Planning goes in rounds: it asks for some measurements, all of which it needs before it knows what to ask
/// for next. What it asks for follows from what it was told alone, so every part that goes through the rounds
/// of one merged store comes to the same next one, and measures its share of that.
package struct PlanningPart: Sendable {
    /// Measurements that were made.
    package let cells: Int
    /// Whether the store now has all that planning asks for: where it does not, the parts' stores are to be
    /// merged, and the parts to go on from there.
    package let isComplete: Bool

    /// Plans until the store lacks what other parts are to measure.
    ///
    /// - Throws: what `plan` throws.
    init<Base: StoredPlanMeasurer>(
        _ shard: Shard, of base: Base, plan: (ShardedMeasurer<Base>) throws -> PlanningResult
    ) throws {
        let measurer = ShardedMeasurer(base, shard)
        do {
            _ = try plan(measurer)
            isComplete = true
        } catch is RoundIsOpen {
            isComplete = false
        }
        cells = measurer.cells
    }
}

/// Parts of a round are not yet measured.
private struct RoundIsOpen: Error {}

/// Measures its share of every round that a planner asks for, and answers once the store has the whole round.
final class ShardedMeasurer<Base: StoredPlanMeasurer>: PlanMeasurer {
    private let base: Base
    private let shard: Shard
    /// Measurements that were made.
    private(set) var cells = 0

    init(_ base: Base, _ shard: Shard) {
        self.base = base
        self.shard = shard
    }

    var encodesInOrder: Bool { base.encodesInOrder }

    func losses(of assignments: [Assignment], around context: Assignment) throws -> [[ItemLoss]] {
        try round(assignments, .alone, costs: assignments.map { base.work(of: $0, around: context) }) {
            try base.losses(of: $0, around: context)
        }
    }

    func packedLosses(of plans: [Assignment]) throws -> [[ItemLoss]] {
        try round(plans, .packed, costs: plans.map { _ in 1 }) { try base.packedLosses(of: $0) }
    }

    func packedMeasurements(of plans: [Assignment]) throws -> [PlanMeasurement] {
        try round(plans, .packedWithMetric, costs: plans.map { _ in 1 }) {
            try base.packedMeasurements(of: $0)
        }
    }

    /// Shares are of all that the round asks for, whatever is known of it: what a part's own store has beside
    /// the merged one does not change them.
    ///
    /// - Throws: `RoundIsOpen` where the store lacks what other parts are to measure.
    private func round<Measured>(
        _ assignments: [Assignment], _ kind: MeasurementKind, costs: [Int],
        measure: ([Assignment]) throws -> [Measured]
    ) throws -> [Measured] {
        let missing = try shard.share(of: costs).map { assignments[$0] }.filter { try !base.isKept($0, kind) }
        _ = try measure(missing)
        cells += missing.count
        guard try assignments.allSatisfy({ try base.isKept($0, kind) }) else { throw RoundIsOpen() }
        return try measure(assignments)
    }
}
