/// The problem as the solver sees it: numbers only, ties merged, options that another option beats removed.
///
///     minimise sum_i values[x_i]  subject to  sum_i costs[b][x_i] <= limits[b],  x_i in options(i)
struct Knapsack {
    /// Options of item i are `starts[i]..<starts[i + 1]` of the flat arrays.
    private(set) var starts: [Int] = [0]
    /// What is minimised, per option.
    private(set) var values: [Double] = []
    /// Per constraint, per option.
    private(set) var costs: [[Double]]
    /// The most that the summed costs of each constraint may be, with room for the final rounding.
    let limits: [Double]
    /// The sum over items of the largest magnitude of a value, and per constraint of a cost.
    private var valueMagnitude = 0.0
    private var costMagnitudes: [Double]
    /// Which option of the item as given each option was.
    private(set) var origins: [Int] = []
    /// Per item and option as given, the option that stands for it: itself, or the first kept one that beats
    /// it.
    private var substitutes: [[Int]] = []

    var itemCount: Int { starts.count - 1 }
    var constraintCount: Int { costs.count }

    func options(_ item: Int) -> Range<Int> { starts[item]..<starts[item + 1] }

    init(limits: [Double]) {
        self.limits = limits
        costs = Array(repeating: [], count: limits.count)
        costMagnitudes = limits.map(abs)
    }

    /// Adds an item; an option is left out where another has no larger value and no larger cost of any kind
    /// (of equals the first stays).
    mutating func append(values itemValues: [Double], costs itemCosts: [[Double]]) {
        func beats(_ first: Int, _ second: Int) -> Bool {
            itemValues[first] <= itemValues[second] && itemCosts.allSatisfy { $0[first] <= $0[second] }
        }
        let kept = itemValues.indices.filter { option in
            !itemValues.indices.contains { other in
                other != option && beats(other, option) && (other < option || !beats(option, other))
            }
        }
        substitutes.append(
            itemValues.indices.map { option in
                let position = kept.firstIndex { $0 == option } ?? kept.firstIndex { beats($0, option) } ?? 0
                return values.count + position
            })
        for option in kept {
            values.append(itemValues[option])
            for constraint in costs.indices { costs[constraint].append(itemCosts[constraint][option]) }
            origins.append(option)
        }
        valueMagnitude += kept.reduce(0) { max($0, abs(itemValues[$1])) }
        for constraint in costs.indices {
            costMagnitudes[constraint] += kept.reduce(0) { max($0, abs(itemCosts[constraint][$1])) }
        }
        starts.append(values.count)
    }

    /// By how much rounding may falsify a Lagrangian bound under these multipliers.
    func rounding(_ multipliers: [Double]) -> Double {
        zip(multipliers, costMagnitudes).reduce(valueMagnitude) { $0 + $1.0 * $1.1 } * 0x1p-50
    }

    /// Flat option indices for a choice of options as given; nothing gets larger.
    func flat(_ choice: [Int]) -> [Int] { zip(substitutes, choice).map { $0[$1] } }

    /// The options as given of a choice of flat option indices.
    func given(_ choice: [Int]) -> [Int] { choice.map { origins[$0] } }

    /// The summed value of a choice of flat option indices.
    func value(_ choice: [Int]) -> Double { choice.reduce(0) { $0 + values[$1] } }

    /// The summed costs of a choice of flat option indices.
    func totals(_ choice: [Int]) -> [Double] {
        costs.map { cost in choice.reduce(0) { $0 + cost[$1] } }
    }

    func isFeasible(_ totals: [Double]) -> Bool {
        for (total, limit) in zip(totals, limits) where total > limit { return false }
        return true
    }

    /// Where sums of one of `numbers` per item are whole and exact: the least sum, and what all sums differ
    /// by multiples of (0 where there is only one sum).
    func lattice(_ numbers: [Double]) -> (least: Double, step: Double)? {
        Lattice.of((0..<itemCount).lazy.map { numbers[options($0)] })
    }
}
