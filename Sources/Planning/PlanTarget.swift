import BitplanAllocation
import BitplanLatency
import PlanFormat

/// What a plan is made for: budgets, what sublayers may become, and what is minimized.
package struct PlanTarget: Sendable {
    /// Most bytes of all tensors.
    package var size: SizeTarget?
    /// Most seconds of an item, one thread; needs a profile.
    package var seconds: Double?
    /// The machine's times.
    package var profile: LatencyProfile?
    /// Most joules of an item's arithmetic.
    package var joules: Double?
    /// What those joules are counted on.
    package var process = Energy.Process.nm7
    /// The item that seconds and joules are counted for; a mean one of the data where nil.
    package var workload: Workload?
    /// Pins and choices: `Dec_ed.3=bcq4`, `Enc_ffn=bcq2,bcq3`.
    package var restrictions: [String] = []
    /// Fewest bits of a code, 1.5 for instance.
    package var minimumBits: Double?
    /// Sublayers that must become the same.
    package var tie: AllocationProblem.TiePreset?
    /// What is minimized.
    package var goal = Goal.leastLoss

    /// What is minimized.
    package enum Goal: Hashable, Sendable {
        /// The loss, within the budgets.
        case leastLoss
        /// A cost, with a loss of at most so many nats per prediction.
        case least(Plan.Cost, maximumLoss: Double)

        /// The cost that is minimized; nil where that is the loss.
        package var cost: Plan.Cost? {
            if case .least(let cost, _) = self { cost } else { nil }
        }

        /// The most that the loss may be.
        package var maximumLoss: Double? {
            if case .least(_, let loss) = self { loss } else { nil }
        }

        /// What the solver minimizes.
        var objective: AllocationProblem.Objective {
            switch self {
            case .leastLoss: .loss
            case .least(let cost, let loss): .cost(budget: cost.rawValue, lossLimit: loss)
            }
        }
    }

    /// A plan of least loss within a size, or anything else that is set later.
    package init(size: SizeTarget? = nil) { self.size = size }

    /// Checks the combination.
    ///
    /// - Throws: `PlanningError` where nothing limits the plan, or seconds are asked for without a profile.
    package func check() throws(PlanningError) {
        if goal == .leastLoss, size == nil, seconds == nil, joules == nil { throw .noBudget }
        guard profile != nil || (seconds == nil && goal.cost != .seconds) else { throw .noProfile }
    }
}
