import BitplanMetrics
import PlanFormat

/// What a planner asks of whatever measures: the losses of plans, and of changes around one.
///
/// Losses are those of the items of the same data, in the same order, from every method.
package protocol PlanMeasurer {
    /// Whether codes are fitted behind each other, so that a sublayer's loss depends on the whole plan.
    var encodesInOrder: Bool { get }

    /// What every item loses under each assignment, every matrix encoded alone, in the assignments' order.
    ///
    /// - Parameter context: what most of the assignments share; any is right, a near one is fast.
    func losses(of assignments: [Assignment], around context: Assignment) throws -> [[ItemLoss]]

    /// What every item loses under plans that are encoded as their packed models are, in the plans' order.
    func packedLosses(of plans: [Assignment]) throws -> [[ItemLoss]]

    /// Those losses, with what the task's metric is made of where the data have references.
    func packedMeasurements(of plans: [Assignment]) throws -> [PlanMeasurement]
}
