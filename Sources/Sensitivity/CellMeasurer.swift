import BitplanMeasurements
import BitplanMetrics
import BitplanTensors
import PlanFormat

/// What a sweep asks of whatever measures its cells: the scores of assignments, some items at a time.
package protocol CellMeasurer {
    /// What assignments give schemes to.
    var layout: ModelLayout { get }

    /// Items of each batch: a measurement may end behind any of them.
    var batchSizes: [Int] { get }

    /// What every item loses in full precision: no KL, and the cross-entropy that others are compared with.
    func referenceLosses() throws -> [ItemLoss]

    /// Weights that an item of an assignment passes through where it is measured around a context: what that
    /// costs, up to a factor.
    func work(of assignment: Assignment, around context: Assignment) -> Int

    /// The scores of the items of some batches under each assignment, in the assignments' order.
    ///
    /// - Parameters:
    ///   - context: what most of the assignments share; any is right, a near one is fast.
    ///   - each: called with the index of every assignment once its scores are known.
    func scores(
        of assignments: [Assignment], around context: Assignment, batches: Range<Int>,
        each: (Int, [ItemScore]) throws -> Void
    ) throws -> [[ItemScore]]
}

extension CellMeasurer {
    /// Everything in full precision.
    package var fullPrecision: Assignment { Assignment(repeating: .fp32, count: layout.sublayers.count) }

    /// What a sweep's measurement of an assignment costs, up to a factor.
    func work(of assignment: Assignment) -> Int { work(of: assignment, around: fullPrecision) }
}

/// What is measured of an assignment, and so what a store may have of it.
package enum MeasurementKind: Sendable {
    /// Losses with every matrix encoded alone.
    case alone
    /// Losses with matrices encoded as a packed model has them.
    case packed
    /// Those and the task's metric, where the data have references.
    case packedWithMetric
}

extension ModelLayout {
    /// Weights that an item passes through from a step of execution on, and as many as a tenth of the model
    /// for scoring.
    package func work(from place: Int) -> Int {
        zip(sublayers, places).filter { $0.1 >= place }.reduce(parameterCount / 10) { $0 + $1.0.count }
    }
}

/// The items in an order that says nothing about them: what is measured on the first of them holds for the
/// others.
package func shuffled<Item>(_ items: [Item]) -> [Item] {
    var items = items
    var generator = SeededGenerator(seed: 1)
    for last in items.indices.dropFirst().reversed() {
        items.swapAt(last, generator.index(below: last + 1))
    }
    return items
}
