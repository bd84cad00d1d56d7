import BitplanPlanning
import BitplanSensitivity
import PlanFormat

/// What is planned from the table of a sweep: a model, or what a process of the user's measures.
package protocol PlannedFromTables {
    associatedtype Measuring: StoredPlanMeasurer

    /// What measures plans.
    var measurer: Measuring { get }

    /// A planner of a target, whose plans `measurer` measures.
    ///
    /// - Throws: `PlanError` where the table is of another model, `UsageError` where what was measured of it
    ///   is another loss, and what `PlanSpace` and `Planner` throw.
    func planner<Measurer: PlanMeasurer>(
        _ table: SensitivityTable, _ target: PlanTarget, _ measurer: Measurer
    ) throws -> Planner<Measurer>
}

extension PlannedFromTables {
    /// Plans for a target, from the table of a sweep.
    ///
    /// - Parameters: as of `Planner.plan`.
    /// - Throws: as `planner`.
    package func plan(
        _ table: SensitivityTable, target: PlanTarget, effort: Int = 1000,
        progress: (PlanningRound) -> Void = { _ in }
    ) throws -> PlanningResult {
        try planner(table, target, measurer).plan(effort: effort, progress: progress)
    }

    /// Measures a part of what planning asks for into the store.
    ///
    /// - Parameters: as of `plan`.
    package func measure(
        _ shard: Shard, ofPlanning table: SensitivityTable, target: PlanTarget, effort: Int = 1000
    ) throws -> PlanningPart {
        try PlanningPart(shard, of: measurer) { try planner(table, target, $0).plan(effort: effort) }
    }
}
