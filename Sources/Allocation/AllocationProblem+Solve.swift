extension AllocationProblem {
    /// The default of `solve(effort:)`.
    package static let defaultEffort = 5_000_000

    /// Solves the problem exactly.
    ///
    /// Deterministic: the same problem and effort give the same answer on every machine. Of several plans of
    /// the least objective the one is returned that the search, whose order depends on the problem alone,
    /// meets first.
    /// - Parameter effort: how many partial plans the search may form, at up to 64 bytes each, before the
    ///   best found is returned as `feasible` with its gap.
    /// - Complexity: exponential in the worst case; in practice milliseconds for hundreds of items, as only
    ///   the few options that the Lagrangian bound leaves undecided are searched.
    /// - Throws: `AllocationError`: a malformed problem, limits that cannot be met, or an effort too small to
    ///   find any plan.
    package func solve(effort: Int = defaultEffort) throws(AllocationError) -> AllocationSolution {
        try validate()
        var solver = Solver(
            problem: self, merged: try MergedItems(self), effort: min(max(1, effort), 1 << 30))
        var limits = budgets.indices.compactMap { index in
            budgets[index].limit.map { Limit(quantity: .cost(index), value: $0) }
        }
        switch objective {
        case .loss:
            let start = try solver.findFeasible(limits)
            return solver.minimise(.loss, within: limits, start: start).solution
        case .cost(let name, let lossLimit):
            guard let index = budgetIndex(name) else { throw .unknownBudget(name) }
            limits.append(Limit(quantity: .loss, value: lossLimit))
            let start = try solver.findFeasible(limits)
            let cheapest = solver.minimise(.cost(index), within: limits, start: start)
            // Of the plans of that cost, the one of least loss; its multipliers are the loss per unit of
            // cost.
            limits.removeAll { $0.quantity == .loss || $0.quantity == .cost(index) }
            limits.append(Limit(quantity: .cost(index), value: cheapest.solution.costs[index]))
            let best = solver.minimise(.loss, within: limits, start: cheapest.choice).solution
            return AllocationSolution(
                choice: best.choice, loss: best.loss, costs: best.costs, objective: best.costs[index],
                lowerBound: min(cheapest.solution.lowerBound, best.costs[index]),
                status: cheapest.solution.status,
                multipliers: best.multipliers, statesExplored: best.statesExplored)
        }
    }
}

/// What is summed over a plan.
enum Quantity: Hashable {
    case loss
    /// The cost of one budget, by its index.
    case cost(Int)
}

/// The most that a quantity may be, fixed cost included.
struct Limit {
    var quantity: Quantity
    var value: Double
}

/// Turns a problem into knapsacks and their answers into plans; choices are per merged item, of options as
/// given.
private struct Solver {
    let problem: AllocationProblem
    let merged: MergedItems
    let effort: Int
    var explored = 0

    /// A plan within all limits.
    ///
    /// Each limit in turn, the least of its quantity within the limits before it: the first that cannot be
    /// met is at fault.
    mutating func findFeasible(_ limits: [Limit]) throws(AllocationError) -> [Int]? {
        var start: [Int]?
        for (index, limit) in limits.enumerated() {
            let before = Array(limits[..<index])
            let result = minimise(limit.quantity, within: before, start: start, goodEnough: limit.value)
            if result.solution.objective > limit.value {
                guard result.solution.lowerBound > limit.value else { throw .undecided(effort: effort) }
                throw .infeasible(
                    Infeasibility(
                        budget: name(limit.quantity), limit: limit.value,
                        smallestAchievable: result.solution.lowerBound,
                        isExact: result.solution.status == .optimal, within: before.map { name($0.quantity) })
                )
            }
            start = result.choice
        }
        return start
    }

    /// The least of a quantity within limits that `start` meets (nil where there are no limits).
    mutating func minimise(
        _ quantity: Quantity, within limits: [Limit], start: [Int]?, goodEnough: Double = -.infinity
    ) -> (solution: AllocationSolution, choice: [Int]) {
        let fixed = fixedCost(quantity)
        var choice = start
        var lowerBound = -Double.infinity
        var isOptimal = false
        var multipliers = problem.budgets.map { _ in 0.0 }
        // The check rounds sums of reals once, the search knows them up to its units. First it gets limits
        // with room for all rounding; only if it then takes for a plan what the check refuses, limits that
        // are smaller by more than any rounding.
        let solver = self
        for isTight in [false, true] {
            let knapsack = knapsack(quantity, within: limits, isTight: isTight)
            let search = ExactSearch(
                knapsack, start: choice.map { knapsack.flat($0) } ?? knapsack.minimise([]).choice,
                effort: effort - explored, goodEnough: goodEnough - fixed
            ) { flat in
                let evaluation = solver.problem.evaluate(solver.merged.expand(knapsack.given(flat)))
                return limits.allSatisfy { solver.value($0.quantity, evaluation) <= $0.value }
            }
            explored += search.explored
            choice = knapsack.given(search.choice)
            if isTight {
                // Only what was proved with the wide limits is proved.
                isOptimal = search.value + fixed - lowerBound <= search.tolerance
            } else {
                isOptimal = search.isOptimal
                lowerBound = search.lowerBound + fixed
                for (limit, price) in zip(limits, search.multipliers) {
                    if case .cost(let index) = limit.quantity { multipliers[index] = price }
                }
            }
            if !search.hasRejected { break }
        }
        let final = choice ?? []
        let expanded = merged.expand(final)
        let evaluation = problem.evaluate(expanded)
        let objective = value(quantity, evaluation)
        let solution = AllocationSolution(
            choice: expanded, loss: evaluation.loss, costs: evaluation.costs, objective: objective,
            lowerBound: isOptimal ? objective : min(lowerBound, objective),
            status: isOptimal ? .optimal : .feasible, multipliers: multipliers, statesExplored: explored)
        return (solution, final)
    }

    private func knapsack(_ quantity: Quantity, within limits: [Limit], isTight: Bool) -> Knapsack {
        var knapsack = Knapsack(
            limits: limits.map { limit in
                let fixed = fixedCost(limit.quantity)
                let room = limit.value - fixed
                if let (least, step) = lattice(limit.quantity) {
                    // The largest sum that exists.
                    return step == 0
                        ? room.rounded(.down) : least + ((room - least) / step).rounded(.down) * step
                }
                let magnitude = merged.entries.reduce(abs(fixed) + abs(limit.value)) { sum, entry in
                    sum + numbers(limit.quantity, entry).reduce(0) { max($0, abs($1)) }
                }
                return isTight
                    ? room - magnitude * Double(problem.items.count + 4) * 0x1p-50
                    : room + magnitude * 0x1p-51
            })
        for entry in merged.entries {
            knapsack.append(
                values: numbers(quantity, entry), costs: limits.map { numbers($0.quantity, entry) })
        }
        return knapsack
    }

    private func numbers(_ quantity: Quantity, _ entry: MergedItems.Entry) -> [Double] {
        switch quantity {
        case .loss: return entry.losses
        case .cost(let index): return entry.costs[index]
        }
    }

    /// Where sums of the quantity are whole and exact: the least sum, and what all sums differ by multiples
    /// of.
    private func lattice(_ quantity: Quantity) -> (least: Double, step: Double)? {
        let fixed = fixedCost(quantity)
        guard fixed == fixed.rounded(), abs(fixed) < 0x1p51 else { return nil }
        return Lattice.of(merged.entries.lazy.map { numbers(quantity, $0) })
    }

    private func fixedCost(_ quantity: Quantity) -> Double {
        guard case .cost(let index) = quantity else { return 0 }
        return problem.budgets[index].fixedCost
    }

    private func value(_ quantity: Quantity, _ evaluation: AllocationProblem.Evaluation) -> Double {
        switch quantity {
        case .loss: return evaluation.loss
        case .cost(let index): return evaluation.costs[index]
        }
    }

    private func name(_ quantity: Quantity) -> String {
        switch quantity {
        case .loss: return "loss"
        case .cost(let index): return problem.budgets[index].name
        }
    }
}
