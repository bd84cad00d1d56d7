/// Why a problem has no answer; one line each.
package enum AllocationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There is nothing to choose for.
    case noItems
    /// Two items or two budgets have one name.
    case duplicateName(String)
    /// An item without options, or whose last option a constraint removed.
    case noOptions(item: String)
    /// An option with more or fewer costs than there are budgets.
    case wrongCostCount(item: String, option: String, expected: Int, got: Int)
    /// NaN, infinity, or sums beyond what a `Double` holds; `what` says where.
    case notFinite(what: String)
    /// A budget that does not exist.
    case unknownBudget(String)
    /// A constraint that no item or option answers to, or that cannot be read.
    case badConstraint(String, reason: String)
    /// A tie that names an item index outside the problem.
    case tieOutOfRange(index: Int, items: Int)
    /// Items that must be equal have no option in common.
    case tieWithoutCommonOption(items: [String])
    /// A choice of wrong length, or an option index that does not exist.
    case badChoice(String)
    /// The budgets cannot be met.
    case infeasible(Infeasibility)
    /// The effort was used up before any plan was found, or its impossibility proved.
    case undecided(effort: Int)

    /// One line: what is wrong, where, expected and got.
    package var description: String {
        switch self {
        case .noItems: return "nothing to allocate: the problem has no items"
        case .duplicateName(let name): return "two items or budgets are called '\(name)'"
        case .noOptions(let item): return "no option is left for '\(item)'"
        case .wrongCostCount(let item, let option, let expected, let got):
            return "option '\(option)' of '\(item)': expected \(expected) costs, one per budget, got \(got)"
        case .notFinite(let what): return "\(what) is not a finite number"
        case .unknownBudget(let name): return "no budget is called '\(name)'"
        case .badConstraint(let text, let reason): return "constraint '\(text)': \(reason)"
        case .tieOutOfRange(let index, let items):
            return "a tie names item \(index), expected an index below \(items)"
        case .tieWithoutCommonOption(let items):
            return "no option is common to the tied items \(items.joined(separator: ", "))"
        case .badChoice(let reason): return "not a choice of this problem: \(reason)"
        case .infeasible(let infeasibility): return infeasibility.description
        case .undecided(let effort): return "no plan found within an effort of \(effort) states"
        }
    }
}

/// Which limit cannot be met, and by how much.
package struct Infeasibility: Hashable, Sendable, CustomStringConvertible {
    /// The limit at fault: the first budget that cannot be met together with those before it, or `loss`.
    package let budget: String
    /// What was asked.
    package let limit: Double
    /// The smallest value that can be reached within the limits named in `within`; a proven lower bound of it
    /// where `isExact` is false.
    package let smallestAchievable: Double
    /// Whether `smallestAchievable` is reached by a plan.
    package let isExact: Bool
    /// The limits before this one that `smallestAchievable` respects; empty where the limit cannot be met
    /// even alone.
    package let within: [String]

    /// By how much the best attempt is over the limit.
    package var overrun: Double { smallestAchievable - limit }

    /// One line.
    package var description: String {
        let rest = within.isEmpty ? "" : " within the limits of \(within.joined(separator: ", "))"
        let least = isExact ? "the smallest achievable is" : "the smallest achievable is at least"
        return
            "\(budget) of at most \(plain(limit)) cannot be met: \(least) \(plainAbove(smallestAchievable))\(rest), "
            + "over by \(plainAbove(overrun))"
    }
}

/// A number as text, six digits that count where it is not whole; never less than it is.
func plainAbove(_ value: Double) -> String {
    guard Int64(exactly: value) == nil, value > 0, value.isFinite else { return plain(value) }
    var scale = 1.0
    while value * scale < 1e5, scale < 1e300 { scale *= 10 }
    while value * scale >= 1e6, scale > 1e-300 { scale /= 10 }
    return plain((value * scale).rounded(.up) / scale)
}

/// A number as text, without `.0` where it is whole.
func plain(_ value: Double) -> String {
    Int64(exactly: value).map(String.init) ?? "\(value)"
}
