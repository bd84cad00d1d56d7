import BitplanAllocation
import BitplanLatency
import BitplanReporting
import PlanFormat

/// What a plan is made for: budgets, what sublayers may become, and what is made small.
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
    /// Fewest bits of a code.
    package var minimumBits: Int?
    /// Sublayers that must become the same.
    package var tie: AllocationProblem.TiePreset?
    /// What is made small.
    package var goal = Goal.leastLoss

    /// What is made small.
    package enum Goal: Hashable, Sendable {
        /// The loss, within the budgets.
        case leastLoss
        /// A cost, with a loss of at most so many nats per prediction.
        case least(Cost, maximumLoss: Double)
    }

    /// What a plan costs.
    package enum Cost: String, Hashable, Sendable, CaseIterable {
        case bytes, seconds, joules
    }

    /// A plan of least loss within a size, or anything else that is set later.
    package init(size: SizeTarget? = nil) { self.size = size }

    /// What is wrong with the combination, if anything.
    ///
    /// - Throws: `UsageError` where nothing limits the plan, or seconds are asked for without a profile.
    package func check() throws(UsageError) {
        if goal == .leastLoss, size == nil, seconds == nil, joules == nil {
            throw UsageError("expected a budget: --size, --latency, --energy, or --max-loss")
        }
        let needsProfile =
            switch goal {
            case .leastLoss: seconds != nil
            case .least(let cost, _): seconds != nil || cost == .seconds
            }
        if needsProfile, profile == nil {
            throw UsageError("seconds need --profile: the file that bitplan profile wrote on this machine")
        }
    }
}
