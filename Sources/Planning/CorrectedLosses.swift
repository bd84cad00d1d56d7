import BitplanTensors
import Foundation
import PlanFormat

/// What sublayers lose in a model that is encoded as a whole: the cells of a table, corrected by what whole
/// plans were measured to lose.
///
/// Codes that are fitted behind each other make up for the errors before them, so losses nearly add up, and
/// measured plans tell what is left: a cell c of sublayer i under scheme s is taken to lose c (1 + g + e_is),
/// with a common g ~ N(0, G^2) and own e_is ~ N(0, E^2). A plan's loss is the sum of its cells, known up to
/// some noise. The posterior means are again one number a cell, so that the exact solver finds the best plan
/// by them.
/// - Source: Bayesian linear regression; the prior is ours.
package struct CorrectedLosses {
    private let cells: [[Scheme: Double]]
    /// Measured plans, with their summed cells.
    private var plans: [(assignment: Assignment, sum: Double, klNats: Double)] = []
    /// The posterior's weight of each plan, and what it says of all cells.
    private var weights: [Double] = []
    private var factor = 1.0
    /// The inverse of the covariance of the measured losses.
    private var inverse: [[Double]] = []

    /// Standard deviations of the common and the own part.
    private static var common: Double { 0.2 }
    private static var own: Double { 0.2 }
    /// Noise of a plan's loss as a share of it, and of its distance from the best plan: losses add up only
    /// near each other.
    private static var noise: Double { 0.02 }
    private static var curvature: Double { 0.3 }

    /// The cells of a table: KL of sublayers, or what stands for it.
    package init(_ table: SensitivityTable) {
        cells = table.layout.sublayers.map { sublayer in
            var row: [Scheme: Double] = [:]
            for scheme in table.schemes(of: sublayer.name) {
                row[scheme] = table.cell(sublayer.name, scheme)?.measurement.klNats
            }
            return row
        }
    }

    /// The summed cells of a plan; nil where it has a scheme that the table has not.
    private func sum(_ assignment: Assignment) -> Double? {
        zip(cells, assignment).reduce(0.0) { sum, pair in
            guard let sum, let cell = pair.0[pair.1] else { return nil }
            return sum + cell
        }
    }

    /// Learns what a whole plan loses; of plans with schemes that the table has not nothing is learnt.
    package mutating func learn(_ assignment: Assignment, klNats: Double) {
        guard let sum = sum(assignment), sum > 0 else { return }
        plans.append((assignment, sum, klNats))
        guard let best = plans.min(by: { $0.klNats < $1.klNats }) else { return }
        // The scale of the best plan is the prior's: a table of proxies has one of its own.
        factor = best.klNats / best.sum
        let sums = plans.map { $0.sum * factor }
        var matrix = [[Double]](
            repeating: [Double](repeating: 0, count: plans.count), count: plans.count)
        for (row, plan) in plans.enumerated() {
            for (column, other) in plans.enumerated() {
                matrix[row][column] = covariance(plan.assignment, other.assignment)
            }
            let noise =
                Self.noise * best.klNats + Self.curvature * (plan.klNats - best.klNats) + 1e-12
            matrix[row][row] += noise * noise
        }
        weights = solveSymmetric(matrix, zip(plans, sums).map { $0.klNats - $1 })
        inverse = plans.indices.map { row in
            solveSymmetric(matrix, plans.indices.map { $0 == row ? 1 : 0 })
        }
    }

    /// What the prior says of how the losses of two plans go together.
    private func covariance(_ plan: Assignment, _ other: Assignment) -> Double {
        var (sum, otherSum, shared) = (0.0, 0.0, 0.0)
        for index in plan.indices {
            let cell = (cells[index][plan[index]] ?? 0) * factor
            sum += cell
            otherSum += (cells[index][other[index]] ?? 0) * factor
            if plan[index] == other[index] { shared += cell * cell }
        }
        return Self.common * Self.common * sum * otherSum + Self.own * Self.own * shared
    }

    /// Standard deviation of what a plan near the best one would be measured to lose, noise included.
    package func deviation(of assignment: Assignment) -> Double {
        guard let best = plans.map(\.klNats).min() else { return .infinity }
        let shared = plans.map { covariance(assignment, $0.assignment) }
        var known = 0.0
        for (row, left) in zip(inverse, shared) {
            known += left * zip(row, shared).reduce(0) { $0 + $1.0 * $1.1 }
        }
        let noise = Self.noise * best
        return max(0, covariance(assignment, assignment) - known + noise * noise).squareRoot()
    }

    /// Where the measured loss of a plan is expected in 95 of 100 cases; nil where it has a scheme that the
    /// table has not, or nothing was learnt.
    package func interval(of assignment: Assignment) -> Interval? {
        guard !plans.isEmpty, let mean = loss(assignment) else { return nil }
        let half = 1.96 * deviation(of: assignment)
        return Interval(low: max(0, mean - half), high: max(0, mean + half))
    }

    /// How much less than `loss` a plan can be expected to lose, where it turns out to be better: nothing
    /// else counts, since the best plan is kept; nil where it has a scheme that the table has not.
    ///
    /// - Source: expected improvement, Mockus 1978; Jones, Schonlau and Welch 1998.
    package func expectedImprovement(on loss: Double, by assignment: Assignment) -> Double? {
        guard let mean = self.loss(assignment) else { return nil }
        let deviation = deviation(of: assignment)
        guard deviation > 0 else { return max(0, loss - mean) }
        let z = (loss - mean) / deviation
        let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
        return (loss - mean) * 0.5 * erfc(-z / 2.0.squareRoot()) + deviation * density
    }

    /// What a sublayer loses under a scheme; nil where the table has no such cell.
    package func loss(_ index: Int, _ scheme: Scheme) -> Double? {
        guard let raw = cells[index][scheme] else { return nil }
        let cell = raw * factor
        var change = 0.0
        for (weight, plan) in zip(weights, plans) {
            change += Self.common * Self.common * weight * plan.sum * factor
            if plan.assignment[index] == scheme { change += Self.own * Self.own * weight * cell }
        }
        return cell * (1 + change)
    }

    /// What a plan loses; nil where it has a scheme that the table has not.
    package func loss(_ assignment: Assignment) -> Double? {
        assignment.indices.reduce(0.0) { sum, index in
            guard let sum, let loss = loss(index, assignment[index]) else { return nil }
            return sum + loss
        }
    }
}
