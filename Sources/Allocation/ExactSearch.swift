/// Finds the best choice of a knapsack and proves it, by searches of growing targets above the Lagrangian bound.
///
/// A complete search below a target either finds the optimum or raises the lower bound to the target. Targets start where few
/// options are left and double, so the last search, the only one that has to be large, is at most as large as the gap between
/// bound and optimum demands, however poor the first plan was.
struct ExactSearch {
    /// Per item, a flat option index.
    private(set) var choice: [Int]
    private(set) var value: Double
    private(set) var lowerBound: Double
    private(set) var multipliers: [Double]
    private(set) var explored = 0
    private(set) var isOptimal = false

    /// - Parameters:
    ///   - start: a feasible choice.
    ///   - effort: how many partial plans may be kept.
    ///   - goodEnough: a value at which the search may stop before it has proved anything.
    init(_ knapsack: Knapsack, start: [Int], effort: Int, goodEnough: Double = -.infinity) {
        choice = start
        value = knapsack.value(start)
        let dual = LagrangianDual(knapsack)
        lowerBound = dual.bound
        multipliers = dual.multipliers
        if let incumbent = dual.incumbent { adopt(incumbent, knapsack) }
        if knapsack.constraintCount == 0 {
            lowerBound = value
            isOptimal = true
            return
        }
        switch knapsack.constraintCount {
        case 1: widen(SIMD2<Double>.self, knapsack, dual, effort, goodEnough)
        case 2...3: widen(SIMD4<Double>.self, knapsack, dual, effort, goodEnough)
        case 4...7: widen(SIMD8<Double>.self, knapsack, dual, effort, goodEnough)
        default: widen(SIMD32<Double>.self, knapsack, dual, effort, goodEnough)
        }
    }

    private mutating func adopt(_ other: [Int], _ knapsack: Knapsack) {
        let otherValue = knapsack.value(other)
        if otherValue < value, knapsack.isFeasible(knapsack.totals(other)) {
            choice = other
            value = otherValue
        }
    }

    private mutating func widen<Point: SIMD>(
        _: Point.Type, _ knapsack: Knapsack, _ dual: LagrangianDual, _ effort: Int, _ goodEnough: Double
    ) where Point.Scalar == Double {
        let constraints = knapsack.constraintCount
        let root = PricedKnapsack(knapsack, dual.multipliers)
        let scale = dual.choice.reduce(0) { $0 + abs(knapsack.values[$1]) } + abs(dual.bound)
        let tolerance = AllocationSolution.relativeTolerance * scale
        var regrets: [Double] = []
        for item in 0..<knapsack.itemCount {
            for option in knapsack.options(item) where option != dual.choice[item] {
                regrets.append(root.regret(of: option, item: item))
            }
        }
        regrets.sort()
        var width = regrets.isEmpty ? 0 : regrets[min(regrets.count - 1, 8 * constraints)]
        width = max(width, 4 * tolerance)

        while value - lowerBound > tolerance, value > goodEnough {
            let limit = min(value, dual.bound + width)
            let prices = [root] + nearby(knapsack, dual, width).map { PricedKnapsack(knapsack, $0) }
            lowerBound = max(lowerBound, prices.reduce(-.infinity) { max($0, $1.bound) })
            let core = Core<Point>(knapsack, base: dual.choice, prices: prices, limit: limit)
            let search = LayeredSearch(core, constraints: constraints, effort: effort - explored)
            explored += search.explored
            if let best = search.best {
                var found = dual.choice
                for (item, option) in zip(core.itemIndices, best) { found[item] = option }
                adopt(found, knapsack)
            }
            guard search.isComplete else { return }
            if search.best != nil || limit >= value {
                lowerBound = value
            } else {
                lowerBound = max(lowerBound, limit)
            }
            width *= 2
        }
        isOptimal = value - lowerBound <= tolerance
        if isOptimal { lowerBound = value }
    }

    /// Multipliers around the best ones: a partial plan has used more or less of the budgets than the whole would, so other prices
    /// bound it better.
    private func nearby(_ knapsack: Knapsack, _ dual: LagrangianDual, _ width: Double) -> [[Double]] {
        let constraints = knapsack.constraintCount
        // A change of this size moves the priced value of a typical change of option by `width`.
        let steps = knapsack.costs.map { cost in
            width * Double(knapsack.itemCount) / max(knapsack.range(cost), .leastNormalMagnitude)
        }
        var sets: [[Double]] = []
        let count = min(constraints, 3)
        var directions = [[Double]](repeating: [], count: 1)
        for _ in 0..<count { directions = directions.flatMap { head in [0.0, 1, -1].map { head + [$0] } } }
        for scale in [0.125, 0.5, 2, 8, 32] {
            for direction in directions where direction.contains(where: { $0 != 0 }) {
                var set = dual.multipliers
                for constraint in 0..<count {
                    set[constraint] += direction[constraint] * scale * steps[constraint]
                }
                sets.append(set.map { max(0, $0) })
            }
        }
        return sets
    }
}
