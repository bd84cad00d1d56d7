extension AllocationProblem {
    /// What a choice is worth, recomputed from the problem alone.
    package struct Evaluation: Hashable, Sendable {
        /// The summed loss.
        package let loss: Double
        /// Per budget, fixed cost included.
        package let costs: [Double]
        /// The limits that are not met, by budget name, and `loss` for the loss limit of `Objective.cost`.
        package let exceeded: [String]
        /// The indices of ties whose items have different labels.
        package let brokenTies: [Int]

        /// Whether the choice is a plan of the problem.
        package var isFeasible: Bool { exceeded.isEmpty && brokenTies.isEmpty }
    }

    /// Recomputes loss and costs of any choice, independently of the solver.
    ///
    /// Sums are carried in twice the precision of a `Double` and rounded once at the end, so they do not
    /// depend on the order of the items.
    /// - Parameter choice: per item, the index of its option.
    /// - Complexity: O(items * budgets).
    /// - Throws: `AllocationError.badChoice`; whatever `validate()` throws.
    package func check(_ choice: [Int]) throws(AllocationError) -> Evaluation {
        try validate()
        guard choice.count == items.count else {
            throw .badChoice("expected \(items.count) option indices, got \(choice.count)")
        }
        for (item, index) in zip(items, choice) where !item.options.indices.contains(index) {
            throw .badChoice("'\(item.name)' has options 0..<\(item.options.count), got \(index)")
        }
        return evaluate(choice)
    }

    /// `check` for a problem and a choice that are known to be valid.
    func evaluate(_ choice: [Int]) -> Evaluation {
        var loss = PairSum()
        var costs = budgets.map { PairSum($0.fixedCost) }
        for (item, index) in zip(items, choice) {
            let option = item.options[index]
            loss.add(option.loss)
            for budget in costs.indices { costs[budget].add(option.costs[budget]) }
        }
        var exceeded: [String] = []
        for (budget, cost) in zip(budgets, costs) {
            if let limit = budget.limit, cost.rounded > limit { exceeded.append(budget.name) }
        }
        if case .cost(_, let lossLimit) = objective, loss.rounded > lossLimit { exceeded.append("loss") }
        let broken = ties.indices.filter { tie in
            Set(ties[tie].map { items[$0].options[choice[$0]].label }).count > 1
        }
        return Evaluation(
            loss: loss.rounded, costs: costs.map(\.rounded), exceeded: exceeded, brokenTies: broken)
    }

    /// Checks that the problem is well formed.
    ///
    /// - Throws: `AllocationError`: the first thing that is wrong.
    package func validate() throws(AllocationError) {
        guard !items.isEmpty else { throw .noItems }
        var names: Set<String> = ["loss"]
        for budget in budgets {
            guard names.insert(budget.name).inserted else { throw .duplicateName(budget.name) }
            guard budget.fixedCost.isFinite else {
                throw .notFinite(what: "the fixed cost of '\(budget.name)'")
            }
            if let limit = budget.limit, !limit.isFinite {
                throw .notFinite(what: "the limit of '\(budget.name)'")
            }
        }
        if case .cost(let name, let limit) = objective {
            guard budgetIndex(name) != nil else { throw .unknownBudget(name) }
            guard limit.isFinite else { throw .notFinite(what: "the loss limit") }
        }
        names = []
        var magnitudes = [Double](repeating: 0, count: budgets.count + 1)
        for item in items {
            guard names.insert(item.name).inserted else { throw .duplicateName(item.name) }
            guard !item.options.isEmpty else { throw .noOptions(item: item.name) }
            var largest = [Double](repeating: 0, count: budgets.count + 1)
            for option in item.options {
                guard option.costs.count == budgets.count else {
                    throw .wrongCostCount(
                        item: item.name, option: option.label, expected: budgets.count,
                        got: option.costs.count)
                }
                for (index, value) in ([option.loss] + option.costs).enumerated() {
                    guard value.isFinite else {
                        let kind = index == 0 ? "the loss" : "the cost in \(budgets[index - 1].name)"
                        throw .notFinite(what: "\(kind) of option '\(option.label)' of '\(item.name)'")
                    }
                    largest[index] = max(largest[index], abs(value))
                }
            }
            for index in magnitudes.indices { magnitudes[index] += largest[index] }
        }
        // Differences and products with multipliers are formed from these sums; far from the end of the range
        // they stay finite.
        for (index, magnitude) in magnitudes.enumerated() where magnitude > 1e150 {
            throw .notFinite(what: "the sum of the \(index == 0 ? "losses" : budgets[index - 1].name)")
        }
        for tie in ties {
            for index in tie where !items.indices.contains(index) {
                throw .tieOutOfRange(index: index, items: items.count)
            }
        }
    }
}

/// A sum carried as an unevaluated pair of doubles, about 106 bits.
///
/// - Source: Knuth's two-sum; Dekker 1971, "A floating-point technique for extending the available
///   precision".
struct PairSum {
    private var high: Double
    private var low = 0.0

    init(_ start: Double = 0) { high = start }

    mutating func add(_ value: Double) {
        let sum = high + value
        let part = sum - high
        let error = (high - (sum - part)) + (value - part) + low
        high = sum + error
        low = error - (high - sum)
    }

    /// The sum, rounded to the nearest double.
    var rounded: Double { high + low }
}
