/// What is left to decide once a target is set: the items and options that a plan below the target could
/// still use.
///
/// Every number is a difference from the base choice (the one that attains the Lagrangian bound), in whole
/// multiples of a unit per lane, so that sums are exact and plans of equal cost are recognised as equal. Lane
/// 0 is the objective, lane b the b-th constraint; further lanes are 0.
struct Core<Point: SIMD> where Point.Scalar == Double {
    struct Option {
        var change: Point
        /// The flat index in the knapsack.
        var index: Int
    }

    /// Items with at least two options, in the order in which the search decides them.
    private(set) var items: [[Option]] = []
    /// The index of each of `items` in the knapsack.
    private(set) var itemIndices: [Int] = []
    /// What each constraint leaves above the base choice (negative where the base exceeds it); 0 in lane 0.
    private(set) var slack = Point()
    /// The objective up to which a plan is searched, in units above the base choice.
    private(set) var target = 0.0
    /// How far rounding may move a bound, in units.
    private(set) var margin = 0.0
    /// The unit of lane 0.
    private(set) var unit = 1.0
    /// Objectives differ by multiples of this, in units.
    private(set) var step = 1.0
    /// Per set of multipliers, the weights that turn a point into a priced value.
    private(set) var weights: [Point] = []
    /// Per set of multipliers, one number per item and one more: the least priced value of the items from
    /// there on, less the priced slack. `weights[k] * point + offsets[k][i]` is a lower bound for every plan
    /// that begins with the point.
    private(set) var offsets: [[Double]] = []
    /// Per item and one more, the least and the largest cost that the items from there on can add.
    private(set) var leastRest: [Point] = []
    private(set) var largestRest: [Point] = []

    /// The base choice's option of each of `items`.
    private(set) var baseOptions: [Int] = []

    /// - Parameters:
    ///   - prices: sets of multipliers, the base's own first.
    ///   - limit: plans of a larger objective need not be found; where `isStrict`, nor do plans of that very
    ///     objective.
    init(_ knapsack: Knapsack, base: [Int], prices: [PricedKnapsack], limit: Double, isStrict: Bool) {
        let lanes = knapsack.constraintCount + 1
        let baseValue = knapsack.value(base)
        let baseTotals = knapsack.totals(base)

        var kept: [(item: Int, options: [Int], depth: Double)] = []
        for item in 0..<knapsack.itemCount {
            var depth = 0.0
            let options = knapsack.options(item).filter { option in
                if option == base[item] { return true }
                for price in prices where price.bound(with: option, item: item) > limit { return false }
                depth = max(depth, prices[0].regret(of: option, item: item))
                return true
            }
            if options.count > 1 { kept.append((item, options, depth)) }
        }
        // Items whose change is dear come first: few of their changes fit together below the target
        // (the other way round takes two to ten times as many partial plans).
        kept.sort { ($0.depth, $1.item) > ($1.depth, $0.item) }

        var units = Point(repeating: 1)
        var magnitudes = Point()
        var isExact = true
        items = kept.map { _, options, _ in options.map { Option(change: Point(), index: $0) } }
        itemIndices = kept.map(\.item)
        baseOptions = itemIndices.map { base[$0] }
        for lane in 0..<lanes {
            let numbers = lane == 0 ? knapsack.values : knapsack.costs[lane - 1]
            let changes = kept.map { item, options, _ in options.map { numbers[$0] - numbers[base[item]] } }
            magnitudes[lane] = changes.reduce(0) { sum, list in sum + list.reduce(0) { max($0, abs($1)) } }
            units[lane] = wholeUnit(changes)
            for (position, list) in changes.enumerated() {
                for (index, change) in list.enumerated() {
                    let whole = (change / units[lane]).rounded()
                    if lane == 0, whole * units[lane] != change { isExact = false }
                    items[position][index].change[lane] = whole
                }
            }
        }
        unit = units[0]
        if isExact {
            let changes = items.joined().map { $0.change[0] }.filter { $0 != 0 }
            step = changes.reduce(0) { greatestCommonDivisor($0, abs($1)) }
        }
        for lane in 1..<lanes {
            let room = (knapsack.limits[lane - 1] - baseTotals[lane - 1]) / units[lane]
            // Where costs were rounded to units, the rounding of all items together must not exclude a plan
            // that fits.
            slack[lane] = units[lane] == 1 ? room.rounded(.down) : (room + Double(items.count)).rounded(.up)
        }

        var rest = Point()
        var most = Point()
        leastRest = [rest]
        largestRest = [most]
        for options in items.reversed() {
            var least = options[0].change
            var largest = options[0].change
            for option in options {
                least = pointwiseMin(least, option.change)
                largest = pointwiseMax(largest, option.change)
            }
            rest += least
            most += largest
            leastRest.append(rest)
            largestRest.append(most)
        }
        leastRest.reverse()
        largestRest.reverse()

        var priced = magnitudes[0] / unit
        for price in prices {
            var weight = Point()
            weight[0] = 1
            for lane in 1..<lanes { weight[lane] = price.multipliers[lane - 1] * units[lane] / unit }
            weights.append(weight)
            priced = max(priced, magnitudes[0] / unit + (weight * (magnitudes / units)).sum())
            var offset = -(weight * slack).sum()
            var column = [offset]
            for options in items.reversed() {
                offset += options.reduce(Double.infinity) { min($0, (weight * $1.change).sum()) }
                column.append(offset)
            }
            column.reverse()
            offsets.append(column)
        }
        margin = 1e-13 * priced + (isExact ? 0 : Double(items.count))
        step = max(step, 1)
        target = (limit - baseValue) / unit + margin - (isStrict ? step : 0)
    }
}

/// A knapsack under one set of multipliers.
struct PricedKnapsack {
    let multipliers: [Double]
    /// The Lagrangian bound.
    let bound: Double
    private let priced: [Double]
    private let least: [Double]

    init(_ knapsack: Knapsack, _ multipliers: [Double]) {
        self.multipliers = multipliers
        priced = knapsack.pricedValues(multipliers)
        var least: [Double] = []
        least.reserveCapacity(knapsack.itemCount)
        var sum = PairSum()
        for item in 0..<knapsack.itemCount {
            var smallest = Double.infinity
            for option in knapsack.options(item) { smallest = min(smallest, priced[option]) }
            least.append(smallest)
            sum.add(smallest)
        }
        self.least = least
        for (multiplier, limit) in zip(multipliers, knapsack.limits) { sum.add(-multiplier * limit) }
        bound = sum.rounded - knapsack.rounding(multipliers)
    }

    /// How much dearer the option is than the item's best.
    func regret(of option: Int, item: Int) -> Double { priced[option] - least[item] }

    /// A lower bound for every plan that takes the option.
    func bound(with option: Int, item: Int) -> Double { bound + regret(of: option, item: item) }
}
