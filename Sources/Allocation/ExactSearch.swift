/// Finds the best choice of a knapsack and proves it, by searches of growing targets above the Lagrangian
/// bound.
///
/// A complete search below a target either finds the optimum or raises the lower bound to the target. Targets
/// start where few options are left and double, so the last search, the only one that has to be large, is at
/// most as large as the gap between bound and optimum demands, however poor the first plan was.
struct ExactSearch {
    /// Per item, a flat option index.
    private(set) var choice: [Int]
    private(set) var value: Double
    private(set) var lowerBound: Double
    private(set) var multipliers: [Double]
    private(set) var explored = 0
    /// Values that differ by no more count as equal.
    private(set) var tolerance = 0.0
    private(set) var isOptimal = false
    /// Whether the search ended because it took for a plan what was not accepted: rounding hides what lies
    /// between that choice's value and the truth.
    private(set) var hasRejected = false
    private let accepts: ([Int]) -> Bool

    /// - Parameters:
    ///   - start: a feasible choice.
    ///   - effort: how many partial plans may be formed; as many again for better plans where no proof was
    ///     reached.
    ///   - goodEnough: a value at which the search may stop before it has proved anything.
    ///   - accepts: whether a choice really is a plan; asked of every choice that would be returned.
    init(
        _ knapsack: Knapsack, start: [Int], effort: Int, goodEnough: Double = -.infinity,
        accepts: @escaping ([Int]) -> Bool
    ) {
        self.accepts = accepts
        choice = start
        value = knapsack.value(start)
        let dual = LagrangianDual(knapsack)
        lowerBound = -.infinity
        multipliers = dual.multipliers
        if let incumbent = dual.incumbent { _ = adopt(incumbent, knapsack) }
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

    private mutating func widen<Point: SIMD>(
        _: Point.Type, _ knapsack: Knapsack, _ dual: LagrangianDual, _ effort: Int, _ goodEnough: Double
    ) where Point.Scalar == Double {
        let root = PricedKnapsack(knapsack, dual.multipliers)
        let scale = dual.choice.reduce(0) { $0 + abs(knapsack.values[$1]) } + abs(dual.bound)
        tolerance = AllocationSolution.relativeTolerance * scale
        let lattice = knapsack.lattice(knapsack.values)
        raise(to: dual.bound, lattice)

        var regrets: [Double] = []
        for item in 0..<knapsack.itemCount {
            for option in knapsack.options(item) where option != dual.choice[item] {
                regrets.append(root.regret(of: option, item: item))
            }
        }
        regrets.sort()
        var width = regrets.isEmpty ? 0 : regrets[min(regrets.count - 1, 8 * knapsack.constraintCount)]
        width = max(
            width, 4 * tolerance, 2 * (lowerBound - dual.bound), (value - dual.bound) / 1024,
            .leastNormalMagnitude)

        while value - lowerBound > tolerance, value > goodEnough {
            let target = dual.bound + width
            let prices = [root] + nearby(knapsack, dual, width).map { PricedKnapsack(knapsack, $0) }
            raise(to: prices.reduce(-.infinity) { max($0, $1.bound) }, lattice)
            // Few partial plans at first: a plan that is found early makes the proof that follows smaller.
            var beam = 64
            while value - lowerBound > tolerance {
                let isComplete = look(
                    Point.self, knapsack, dual.choice, prices, below: min(value, target), beam,
                    effort - explored)
                if hasRejected { return }
                if isComplete {
                    raise(to: min(value, target), lattice)
                    break
                }
                if explored >= effort {
                    improve(Point.self, knapsack, dual, effort: 2 * effort)
                    return
                }
                beam *= 16
            }
            width *= 2
        }
        isOptimal = value - lowerBound <= tolerance
        if isOptimal { lowerBound = value }
    }

    /// Looks for plans better than the best known, with an objective up to a target; whether none was
    /// overlooked.
    private mutating func look<Point: SIMD>(
        _: Point.Type, _ knapsack: Knapsack, _ base: [Int], _ prices: [PricedKnapsack], below target: Double,
        _ beam: Int, _ effort: Int
    ) -> Bool where Point.Scalar == Double {
        let core = Core<Point>(knapsack, base: base, prices: prices, limit: target, isStrict: target == value)
        let search = LayeredSearch(core, constraints: knapsack.constraintCount, effort: effort, beam: beam)
        explored += search.explored
        if let best = search.best {
            var found = base
            for (item, option) in zip(core.itemIndices, best) { found[item] = option }
            if !adopt(found, knapsack) {
                hasRejected = true
                // A complete search shows that not even among the choices to be refused there is a smaller
                // value.
                if search.isComplete { lowerBound = max(lowerBound, min(value, knapsack.value(found))) }
            }
        }
        return search.isComplete
    }

    /// Looks for better plans without proof.
    private mutating func improve<Point: SIMD>(
        _: Point.Type, _ knapsack: Knapsack, _ dual: LagrangianDual, effort: Int
    ) where Point.Scalar == Double {
        for beam in [16, 64, 256, 1024, 4096] where beam == 16 || explored < effort {
            let prices = ([dual.multipliers] + nearby(knapsack, dual, (value - lowerBound) / 16)).map {
                PricedKnapsack(knapsack, $0)
            }
            // The first is cheap, and may finish whatever the effort.
            _ = look(
                Point.self, knapsack, dual.choice, prices, below: value, beam,
                beam == 16 ? .max : effort - explored)
        }
    }

    /// Takes a choice if it is better; false where it may not be taken.
    private mutating func adopt(_ other: [Int], _ knapsack: Knapsack) -> Bool {
        let otherValue = knapsack.value(other)
        guard otherValue < value else { return true }
        guard accepts(other) else { return false }
        choice = other
        value = otherValue
        return true
    }

    /// Raises the lower bound, to the next sum that exists where sums form a lattice.
    private mutating func raise(
        to bound: Double, _ lattice: (least: Double, step: Double)?
    ) {
        var bound = bound
        if let (least, step) = lattice, step > 0 {
            bound = max(bound, least + ((bound - tolerance - least) / step).rounded(.up) * step)
        }
        lowerBound = max(lowerBound, bound)
    }

    /// Multipliers around the best ones: a partial plan has used more or less of the budgets than the whole
    /// would, so other prices bound it better.
    private func nearby(_ knapsack: Knapsack, _ dual: LagrangianDual, _ width: Double) -> [[Double]] {
        let constraints = knapsack.constraintCount
        // A change of this size moves the priced value of a typical change of option by `width`.
        let steps = knapsack.costs.map { cost in
            let span = knapsack.range(cost)
            return span > 0 ? width * Double(knapsack.itemCount) / span : 0
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
        // Numbers of extreme magnitudes can make multipliers whose rounding exceeds what they bound.
        return sets.filter { knapsack.rounding($0).isFinite }
    }
}
