import PlanFormat

/// An answer with its certificate.
package struct AllocationSolution: Hashable, Sendable {
    /// How sure the answer is; `optimal` holds up to `relativeTolerance`.
    package typealias Status = Plan.Certificate.Status

    /// Per item of the problem, the index of its option.
    package let choice: [Int]
    /// The summed loss of the choice.
    package let loss: Double
    /// Per budget, what the choice costs, fixed cost included.
    package let costs: [Double]
    /// What was minimized: `loss`, or the named budget's cost.
    package let objective: Double
    /// No plan has a smaller objective than this. Equals `objective` where the status is `optimal`.
    package let lowerBound: Double
    /// Whether the answer is proved.
    package let status: Status
    /// Per budget, the Lagrange multiplier of its limit in the continuous relaxation: objective gained per
    /// unit of budget. Zero where the budget has no limit or the limit does not bind.
    package let multipliers: [Double]
    /// Partial plans that the search kept: the measure of effort, the same on every machine.
    package let statesExplored: Int

    /// How far the objective may lie above the optimum: 0 where the status is `optimal`.
    package var gap: Double { objective - lowerBound }

    /// `optimal` holds up to this fraction of the sum of the magnitudes of the numbers added up: rounding,
    /// not search.
    package static let relativeTolerance = 1e-12
}
