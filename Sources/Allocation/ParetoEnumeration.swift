/// All Pareto-optimal pairs of one cost and loss, by dynamic programming over the items without any bound.
///
/// - Source: Nemhauser, Ullmann 1969, "Discrete dynamic programming and capital allocation".
struct ParetoEnumeration {
    /// One plan for each pair, by ascending cost, as options of the merged items; nil where the effort did
    /// not suffice.
    private(set) var choices: [[Int]]?

    init(_ merged: MergedItems, budget: Int, effort: Int) {
        typealias Point = SIMD2<Double>
        // Sums in whole units are exact, so that equal plans are seen to be equal.
        let units = Point(
            wholeUnit(merged.entries.map(\.losses)), wholeUnit(merged.entries.map { $0.costs[budget] }))
        var layer = [Partial(point: Point(), parent: -1, option: -1)]
        var history: [[Partial<Point>]] = []
        var explored = 0
        for entry in merged.entries {
            guard layer.count <= (effort - explored) / entry.losses.count else { return }
            var next: [Partial<Point>] = []
            next.reserveCapacity(layer.count * entry.losses.count)
            for option in entry.losses.indices {
                var change = Point(entry.losses[option], entry.costs[budget][option]) / units
                change.round(.toNearestOrEven)
                for (parent, partial) in layer.enumerated() {
                    next.append(
                        Partial(point: partial.point + change, parent: Int32(parent), option: Int32(option)))
                }
            }
            explored += next.count
            var filter = DominanceFilter<Point>(constraints: 1)
            filter.apply(&next)
            history.append(next)
            layer = next
        }
        choices = layer.indices.map { last in
            var choice = [Int](repeating: 0, count: merged.entries.count)
            var index = last
            for position in choice.indices.reversed() {
                let partial = history[position][index]
                choice[position] = Int(partial.option)
                index = Int(partial.parent)
            }
            return choice
        }
    }
}
