/// What more or less budget would be worth at a plan.
package struct ShadowPrices: Hashable, Sendable {
    /// A change of the option of one item (of all items of a tie).
    package struct Step: Hashable, Sendable {
        /// The new option's label.
        package let label: String
        /// Change of the summed loss.
        package let lossChange: Double
        /// Per budget, change of the cost.
        package let costChanges: [Double]
        /// Loss gained or given up per unit of the budget the steps are taken in: `-lossChange / costChange`.
        package let lossPerUnit: Double
    }

    /// The neighbours of an item's option on the item's own trade-off of cost and loss.
    package struct ItemPrices: Hashable, Sendable {
        /// Indices of the item and of those tied to it, ascending.
        package let items: [Int]
        /// The next cheaper option, if any.
        package let cheaper: Step?
        /// The next dearer option of smaller loss, if any.
        package let dearer: Step?
    }

    /// Per budget, the loss that one more unit would save: the multipliers of the continuous relaxation whose
    /// limits are what the plan itself costs. Zero for budgets without a limit (save the one named), or that
    /// do not bind.
    package let lossPerUnit: [Double]
    /// One per item, tied ones together, in the order of their first items.
    package let items: [ItemPrices]
}

extension AllocationProblem {
    /// The prices at any plan: of each budget at the margin, and of each item's next cheaper and next dearer
    /// option.
    ///
    /// - Parameters:
    ///   - choice: per item, the index of its option.
    ///   - budget: the budget in which steps are counted; it is priced even where it has no limit.
    /// - Complexity: that of a Lagrangian bound: O(rounds * options * budgets).
    /// - Throws: `AllocationError`: a malformed problem or choice, an unknown budget.
    package func shadowPrices(of choice: [Int], in budget: String) throws(AllocationError) -> ShadowPrices {
        let plan = try check(choice)
        guard let index = budgetIndex(budget) else { throw .unknownBudget(budget) }
        guard plan.brokenTies.isEmpty else { throw .badChoice("tied items have different options") }
        let merged = try MergedItems(self)
        let priced = budgets.indices.filter { $0 == index || budgets[$0].limit != nil }
        var knapsack = Knapsack(limits: priced.map { plan.costs[$0] - budgets[$0].fixedCost })
        for entry in merged.entries {
            knapsack.append(values: entry.losses, costs: priced.map { entry.costs[$0] })
        }
        var lossPerUnit = budgets.map { _ in 0.0 }
        for (position, multiplier) in zip(priced, LagrangianDual(knapsack).multipliers) {
            lossPerUnit[position] = multiplier
        }
        let prices = merged.entries.compactMap { entry -> ShadowPrices.ItemPrices? in
            guard let current = entry.options.firstIndex(where: { $0[0] == choice[entry.members[0]] }) else {
                return nil
            }
            let label = { (option: Int) in items[entry.members[0]].options[entry.options[option][0]].label }
            let (losses, costs) = (entry.losses, entry.costs[index])
            // The nearest cost on either side; of equal costs the smaller loss.
            let cheaper = losses.indices.filter { costs[$0] < costs[current] }
                .min { (-costs[$0], losses[$0], $0) < (-costs[$1], losses[$1], $1) }
            let dearer = losses.indices.filter { costs[$0] > costs[current] && losses[$0] < losses[current] }
                .min { (costs[$0], losses[$0], $0) < (costs[$1], losses[$1], $1) }
            func step(_ option: Int) -> ShadowPrices.Step {
                let lossChange = losses[option] - losses[current]
                return ShadowPrices.Step(
                    label: label(option), lossChange: lossChange,
                    costChanges: entry.costs.map { $0[option] - $0[current] },
                    lossPerUnit: -lossChange / (costs[option] - costs[current]))
            }
            return ShadowPrices.ItemPrices(
                items: entry.members, cheaper: cheaper.map(step), dearer: dearer.map(step))
        }
        return ShadowPrices(lossPerUnit: lossPerUnit, items: prices)
    }

    /// The least and the most that the named budget can cost, fixed cost and ties included, other limits left
    /// aside.
    ///
    /// - Throws: `AllocationError`: a malformed problem, or an unknown budget.
    package func costRange(of budget: String) throws(AllocationError) -> ClosedRange<Double> {
        try validate()
        guard let index = budgetIndex(budget) else { throw .unknownBudget(budget) }
        var least = PairSum(budgets[index].fixedCost)
        var most = least
        for entry in try MergedItems(self).entries {
            least.add(entry.costs[index].reduce(.infinity) { min($0, $1) })
            most.add(entry.costs[index].reduce(-.infinity) { max($0, $1) })
        }
        return least.rounded...most.rounded
    }
}
