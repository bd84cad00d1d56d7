/// Why there is no plan for a target, beside what the solver says; one line each.
package enum PlanningError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nothing limits the plan.
    case noBudget
    /// Seconds are limited or minimized, and no machine's times are known.
    case noProfile
    /// Seconds or joules are counted for an item whose work is not known.
    case noWorkload
    /// No plan that was measured loses as little as was asked, in nats per prediction.
    case lossNotMet(limit: Double, least: Double)
    /// No plan of the candidates has so few bytes.
    case sizeNotMet(bytes: Int, smallest: Int)
    /// No plan that is known fits the target.
    case noStart

    /// One line: what is wrong, expected and got.
    package var description: String {
        switch self {
        case .noBudget: "expected a budget: a size, a time, an energy or a largest loss"
        case .noProfile: "seconds need a latency profile of the machine"
        case .noWorkload: "the table does not say how long its sentences are: sweep the model again"
        case .lossNotMet(let limit, let least):
            "a loss of at most \(limit) nats cannot be met: the least that was measured is \(least)"
        case .sizeNotMet(let bytes, let smallest):
            "no plan has \(bytes) bytes or fewer: the smallest of these candidates has \(smallest)"
        case .noStart: "no plan fits the target that could be started from"
        }
    }
}
