/// What every sublayer becomes, within budgets: a multiple-choice knapsack with any number of budgets.
///
///     minimise    sum_i loss[i, x_i]
///     subject to  fixed_b + sum_i cost_b[i, x_i] <= limit_b    for every budget b that has a limit
///                 x_i is one of the options of item i          for every item i
///                 x_i and x_j have the same label              for all i, j of a tie
///
/// or, with `Objective.cost`, the other way round: the smallest cost of one kind with a summed loss of at
/// most a given limit, and of the plans of that cost the one of least loss.
///
/// An item is a sublayer, an option one scheme for it. Losses and costs are any finite numbers: slightly
/// negative measured losses, ties, dominated options, options of no cost and items of one option are all
/// fine.
///
/// A sum meets its limit when the sum, rounded once to the nearest `Double`, is at most the limit. Whole
/// numbers (bytes) below 2^53 are therefore compared exactly, and what a plan reports as its cost always fits
/// a budget of that very number.
///
/// - Source: Kellerer, Pferschy, Pisinger 2004, "Knapsack Problems", chapter 11.
package struct AllocationProblem: Hashable, Sendable {
    /// One scheme for one item.
    package struct Option: Hashable, Sendable {
        /// The scheme's text; options of tied items are matched by it.
        package var label: String
        /// Predicted loss, in the unit of the measurements (nats, BLEU lost).
        package var loss: Double
        /// One cost per budget, in the budgets' order and units.
        package var costs: [Double]

        /// An option.
        package init(label: String, loss: Double, costs: [Double]) {
            self.label = label
            self.loss = loss
            self.costs = costs
        }
    }

    /// What takes exactly one of its options: a sublayer.
    package struct Item: Hashable, Sendable {
        /// The sublayer's name.
        package var name: String
        /// What it can become; at least one.
        package var options: [Option]

        /// An item.
        package init(name: String, options: [Option]) {
            self.name = name
            self.options = options
        }
    }

    /// A kind of cost, and how much of it there is.
    package struct Budget: Hashable, Sendable {
        /// What is counted, unit included: `bytes`, `seconds`, `joules`.
        package var name: String
        /// The most that may be spent, `fixedCost` included; nil where the cost is only reported.
        package var limit: Double?
        /// What is spent whatever is chosen: the parts that stay FP32.
        package var fixedCost: Double

        /// A budget.
        package init(name: String, limit: Double? = nil, fixedCost: Double = 0) {
            self.name = name
            self.limit = limit
            self.fixedCost = fixedCost
        }
    }

    /// What is minimized.
    package enum Objective: Hashable, Sendable {
        /// The summed loss.
        case loss
        /// The cost that the named budget counts, with a summed loss of at most `lossLimit`.
        case cost(budget: String, lossLimit: Double)
    }

    /// The sublayers, in any order; `choice` arrays follow it.
    package var items: [Item]
    /// The kinds of cost.
    package var budgets: [Budget]
    /// What is minimized.
    package var objective: Objective
    /// Groups of item indices that must take options of equal label; groups that overlap are one group.
    package var ties: [[Int]]

    /// A problem; it is checked when it is solved (`validate()`).
    package init(items: [Item], budgets: [Budget], objective: Objective = .loss, ties: [[Int]] = []) {
        self.items = items
        self.budgets = budgets
        self.objective = objective
        self.ties = ties
    }

    /// The index of the budget called `name`.
    package func budgetIndex(_ name: String) -> Int? { budgets.firstIndex { $0.name == name } }
}
