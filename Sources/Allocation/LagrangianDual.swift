/// The best bound that prices on the constraints give: maximise over multipliers w >= 0
///
///     L(w) = sum_i min_o (values[o] + sum_b w_b costs[b][o]) - sum_b w_b limits[b]
///
/// L(w) <= optimum for every w >= 0, and its maximum equals the optimum of the continuous relaxation. It is
/// found by column generation: a linear program of one row per constraint and one for convexity, whose
/// columns are whole choices.
///
/// - Source: Dantzig, Wolfe 1960; Fisher 1981, "The Lagrangian relaxation method".
struct LagrangianDual {
    /// The multipliers of the best bound found.
    private(set) var multipliers: [Double]
    /// The best bound found.
    private(set) var bound = -Double.infinity
    /// The choice that attains the bound, as flat option indices; it need not be feasible.
    private(set) var choice: [Int] = []
    /// The feasible choice of least value met on the way, if any.
    private(set) var incumbent: [Int]?

    private struct Column {
        var value: Double
        /// One entry per constraint, then 1 where the column is a whole choice.
        var entries: [Double]
    }

    /// - Complexity: O(rounds * options * constraints); rounds grow slowly, some tens for three constraints.
    init(_ knapsack: Knapsack) {
        let constraints = knapsack.constraintCount
        multipliers = Array(repeating: 0, count: constraints)
        var incumbentValue = Double.infinity
        var columns: [Column] = []

        func price(_ trial: [Double]) -> (reduced: Double, column: Column) {
            let (picked, reduced) = knapsack.minimise(trial)
            let totals = knapsack.totals(picked)
            let value = knapsack.value(picked)
            let lower =
                reduced - zip(trial, knapsack.limits).reduce(0) { $0 + $1.0 * $1.1 }
                - knapsack.rounding(trial)
            if lower > bound {
                bound = lower
                multipliers = trial
                choice = picked
            }
            if value < incumbentValue, knapsack.isFeasible(totals) {
                incumbentValue = value
                incumbent = picked
            }
            return (reduced, Column(value: value, entries: totals + [1]))
        }

        let start = price(multipliers).column
        columns.append(start)
        if constraints == 0 { return }

        // Per constraint a slack column and an overrun column; the overrun's price caps the multiplier and
        // grows until no overrun is left, or the limits cannot be met at all.
        let range = knapsack.range(knapsack.values)
        let caps = knapsack.costs.map { cost in
            let span = knapsack.range(cost)
            return span > 0 && range > 0 ? range / span : 1
        }
        var basis: [Int] = []
        for constraint in 0..<constraints {
            var unit = [Double](repeating: 0, count: constraints + 1)
            unit[constraint] = 1
            columns.append(Column(value: 0, entries: unit))
            unit[constraint] = -1
            columns.append(Column(value: caps[constraint] * 16, entries: unit))
            basis.append(
                1 + 2 * constraint + (start.entries[constraint] > knapsack.limits[constraint] ? 1 : 0))
        }
        basis.append(0)
        let right = knapsack.limits + [1]
        let tolerance = 1e-13 * max(range, abs(bound))

        for _ in 0..<2000 {
            let rows = basis.map { columns[$0].entries }
            guard let prices = solve(rows, basis.map { columns[$0].value }) else { return }
            // The basis changes by the first column that gains: slack, then overrun, then the best whole
            // choice.
            var entering: Int?
            var trial = prices.dropLast().map { -$0 }
            for constraint in 0..<constraints {
                let slack = 1 + 2 * constraint
                if trial[constraint] < 0 {
                    if !basis.contains(slack), trial[constraint] < -1e-14 * caps[constraint] {
                        entering = entering ?? slack
                    }
                    trial[constraint] = 0
                }
                let overrun = slack + 1
                if trial[constraint] > columns[overrun].value * (1 + 1e-12), !basis.contains(overrun) {
                    entering = entering ?? overrun
                }
            }
            if entering == nil {
                let (reduced, column) = price(trial)
                if reduced < prices[constraints] - tolerance {
                    columns.append(column)
                    entering = columns.count - 1
                } else {
                    let stuck = (0..<constraints).filter { basis.contains(2 + 2 * $0) }
                    let grown = stuck.filter { columns[2 + 2 * $0].value < caps[$0] * 1e12 }
                    if grown.isEmpty { return }
                    for constraint in grown { columns[2 + 2 * constraint].value *= 64 }
                    continue
                }
            }
            guard let entering else { return }
            let transposed = (0...constraints).map { row in rows.map { $0[row] } }
            guard let levels = solve(transposed, right),
                let step = solve(transposed, columns[entering].entries)
            else { return }
            var leaving: Int?
            var least = Double.infinity
            for position in basis.indices where step[position] > 1e-12 {
                let ratio = max(0, levels[position]) / step[position]
                if ratio < least {
                    least = ratio
                    leaving = position
                }
            }
            guard let leaving else { return }
            basis[leaving] = entering
        }
    }
}

extension Knapsack {
    /// Per item the option of least value plus priced costs (the first of equals), and the sum of these.
    func minimise(_ multipliers: [Double]) -> (choice: [Int], reduced: Double) {
        let priced = pricedValues(multipliers)
        var choice: [Int] = []
        choice.reserveCapacity(itemCount)
        var sum = PairSum()
        for item in 0..<itemCount {
            var best = starts[item]
            for option in options(item) where priced[option] < priced[best] { best = option }
            choice.append(best)
            sum.add(priced[best])
        }
        return (choice, sum.rounded)
    }

    /// Per option, value plus priced costs.
    func pricedValues(_ multipliers: [Double]) -> [Double] {
        var priced = values
        for (constraint, multiplier) in multipliers.enumerated() where multiplier != 0 {
            let cost = costs[constraint]
            for option in priced.indices { priced[option] += multiplier * cost[option] }
        }
        return priced
    }

    /// The sum over items of the difference between the largest and the smallest of `numbers`.
    func range(_ numbers: [Double]) -> Double {
        (0..<itemCount).reduce(0) { sum, item in
            let part = numbers[options(item)]
            return sum + ((part.max() ?? 0) - (part.min() ?? 0))
        }
    }
}

/// Solves the square system whose rows are given, by Gaussian elimination with row scaling and pivoting; nil
/// where it is singular.
func solve(_ rows: [[Double]], _ right: [Double]) -> [Double]? {
    let count = right.count
    var matrix = zip(rows, right).map { $0 + [$1] }
    for row in matrix.indices {
        let scale = matrix[row].dropLast().reduce(0) { max($0, abs($1)) }
        guard scale > 0 else { return nil }
        for column in 0...count { matrix[row][column] /= scale }
    }
    for column in 0..<count {
        var pivot = column
        for row in column..<count where abs(matrix[row][column]) > abs(matrix[pivot][column]) { pivot = row }
        guard abs(matrix[pivot][column]) > 1e-300 else { return nil }
        matrix.swapAt(column, pivot)
        for row in 0..<count where row != column {
            let factor = matrix[row][column] / matrix[column][column]
            if factor == 0 { continue }
            for k in column...count { matrix[row][k] -= factor * matrix[column][k] }
        }
    }
    return (0..<count).map { matrix[$0][count] / matrix[$0][$0] }
}
