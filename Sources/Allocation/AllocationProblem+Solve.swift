extension AllocationProblem {
    /// The default of `solve(effort:)`.
    public static let defaultEffort = 20_000_000

    /// Solves the problem exactly.
    ///
    /// Deterministic: the same problem and effort give the same answer on every machine. Of several plans of the least objective
    /// the one is returned that the search, whose order depends on the problem alone, meets first.
    /// - Parameter effort: how many partial plans may be kept, at some tens of bytes each, before the best found is returned as
    ///   `feasible` with its gap.
    /// - Complexity: exponential in the worst case; in practice milliseconds for hundreds of items, as only the few options that
    ///   the Lagrangian bound leaves undecided are searched.
    /// - Throws: `AllocationError`: a malformed problem, limits that cannot be met, or an effort too small to find any plan.
    public func solve(effort: Int = defaultEffort) throws(AllocationError) -> AllocationSolution {
        try validate()
        var solver = Solver(problem: self, merged: try MergedItems(self), effort: max(1, effort))
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
            // Of the plans of that cost, the one of least loss; its multipliers are the loss per unit of cost.
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

/// Turns a problem into knapsacks and their answers into plans; choices are per merged item, of options as given.
private struct Solver {
    let problem: AllocationProblem
    let merged: MergedItems
    let effort: Int
    var explored = 0

    /// A plan within all limits.
    ///
    /// Each limit in turn, the least of its quantity within the limits before it: the first that cannot be met is at fault.
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
        // An answer must pass the check, whose sums are rounded once. If rounding let the search through where the check does not,
        // search again with limits that are smaller by more than any rounding; at worst the start remains.
        var lowerBound = -Double.infinity
        for tightening in [-0.5, 0.5 * Double(problem.items.count + 1)] {
            let knapsack = knapsack(quantity, within: limits, tightening: tightening)
            let search = ExactSearch(
                knapsack, start: start.map { knapsack.flat($0) } ?? knapsack.minimise([]).choice,
                effort: effort - explored, goodEnough: goodEnough - fixedCost(quantity))
            explored += search.explored
            let choice = knapsack.given(search.choice)
            if lowerBound == -.infinity { lowerBound = search.lowerBound + fixedCost(quantity) }
            if let solution = solution(
                choice, quantity, limits, search.multipliers, lowerBound, isOptimal: search.isOptimal)
            {
                return (solution, choice)
            }
        }
        let choice = start ?? merged.entries.map { _ in 0 }
        let evaluation = problem.evaluate(merged.expand(choice))
        let objective = value(quantity, evaluation)
        return (
            AllocationSolution(
                choice: merged.expand(choice), loss: evaluation.loss, costs: evaluation.costs,
                objective: objective,
                lowerBound: min(lowerBound, objective), status: .feasible,
                multipliers: problem.budgets.map { _ in 0 }, statesExplored: explored), choice
        )
    }

    /// The answer that a choice makes; nil where it does not pass the check.
    private func solution(
        _ choice: [Int], _ quantity: Quantity, _ limits: [Limit], _ prices: [Double], _ lowerBound: Double,
        isOptimal: Bool
    ) -> AllocationSolution? {
        let expanded = merged.expand(choice)
        let evaluation = problem.evaluate(expanded)
        guard limits.allSatisfy({ value($0.quantity, evaluation) <= $0.value }) else { return nil }
        let objective = value(quantity, evaluation)
        var multipliers = problem.budgets.map { _ in 0.0 }
        for (limit, price) in zip(limits, prices) {
            if case .cost(let index) = limit.quantity { multipliers[index] = price }
        }
        return AllocationSolution(
            choice: expanded, loss: evaluation.loss, costs: evaluation.costs, objective: objective,
            lowerBound: isOptimal ? objective : min(lowerBound, objective),
            status: isOptimal ? .optimal : .feasible, multipliers: multipliers, statesExplored: explored)
    }

    private func knapsack(_ quantity: Quantity, within limits: [Limit], tightening: Double) -> Knapsack {
        var knapsack = Knapsack(
            limits: limits.map { limit in
                let room = limit.value - fixedCost(limit.quantity)
                return isWhole(limit.quantity) ? room.rounded(.down) : room - tightening * limit.value.ulp
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

    /// Whether sums of the quantity are exact.
    private func isWhole(_ quantity: Quantity) -> Bool {
        let fixed = fixedCost(quantity)
        var magnitude = abs(fixed)
        guard fixed == fixed.rounded() else { return false }
        for entry in merged.entries {
            let numbers = numbers(quantity, entry)
            guard numbers.allSatisfy({ $0 == $0.rounded() }) else { return false }
            magnitude += numbers.reduce(0) { max($0, abs($1)) }
        }
        return magnitude < 0x1p53
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
