/// Goes through the items of a core one by one, keeping every distinct partial plan that could still become a plan below the
/// target: dynamic programming over Pareto-optimal partial plans, cut by Lagrangian bounds of many multipliers.
///
/// A partial plan is dropped where its bound exceeds the target, where the rest cannot bring it within the limits, or where another
/// one has no larger objective and no larger cost of any kind.
///
/// - Source: Pisinger 1995, "A minimal algorithm for the multiple-choice knapsack problem", for one constraint.
struct LayeredSearch<Point: SIMD> where Point.Scalar == Double {
    /// The best plan found below the core's target, as one flat option index per item of the core.
    private(set) var best: [Int]?
    /// Whether everything below the target was looked at.
    private(set) var isComplete = true
    /// Partial plans kept.
    private(set) var explored = 0

    private struct Partial {
        var point: Point
        var parent: Int32
        var option: Int32
    }

    private struct Step {
        var parent: Int32
        var option: Int32
    }

    /// - Parameters:
    ///   - effort: how many partial plans may be kept in all.
    ///   - width: how many may be kept per item; the search is incomplete where more would be needed.
    init(_ core: Core<Point>, constraints: Int, effort: Int, width: Int = .max) {
        var target = core.target
        var layer = [Partial(point: Point(), parent: -1, option: -1)]
        var history: [[Step]] = []
        var found: (layer: Int, step: Step)?

        for (position, options) in core.items.enumerated() {
            let room = core.slack - core.leastRest[position + 1]
            // A cost so small that no rest can bring it to the limit is as good as any other such cost.
            let floor = core.slack - core.largestRest[position + 1]
            let offsets = core.offsets.map { $0[position + 1] }
            var next: [Partial] = []
            for (parent, partial) in layer.enumerated() {
                candidates: for (index, option) in options.enumerated() {
                    var point = partial.point + option.change
                    for lane in 1...constraints where point[lane] > room[lane] { continue candidates }
                    for (weight, offset) in zip(core.weights, offsets)
                    where (weight * point).sum() + offset > target {
                        continue candidates
                    }
                    var fits = true
                    for lane in 1...constraints where point[lane] > core.slack[lane] { fits = false }
                    if fits, point[0] <= target {
                        // Only smaller objectives are of interest from here on.
                        found = (position, Step(parent: Int32(parent), option: Int32(index)))
                        target = min(target, point[0] - 1 + core.margin)
                    }
                    for lane in 1...constraints { point[lane] = max(point[lane], floor[lane]) }
                    next.append(Partial(point: point, parent: Int32(parent), option: Int32(index)))
                }
            }
            Self.removeDominated(&next, constraints: constraints)
            if next.count > width {
                isComplete = false
                let weight = core.weights[0]
                next.sort {
                    ((weight * $0.point).sum(), $0.parent, $0.option)
                        < ((weight * $1.point).sum(), $1.parent, $1.option)
                }
                next.removeLast(next.count - width)
            }
            explored += next.count
            history.append(next.map { Step(parent: $0.parent, option: $0.option) })
            if explored > effort {
                isComplete = false
                break
            }
            layer = next
            if layer.isEmpty { break }
        }

        guard let found else { return }
        var picked = core.items.map { _ in 0 }
        var step = found.step
        var position = found.layer
        while true {
            picked[position] = core.items[position][Int(step.option)].index
            if position == 0 { break }
            position -= 1
            step = history[position][Int(step.parent)]
        }
        for rest in (found.layer + 1)..<max(found.layer + 1, core.items.count) {
            picked[rest] = core.baseOptions[rest]
        }
        best = picked
    }

    /// Keeps of each partial plan only what no other beats; of equals the first.
    private static func removeDominated(_ partials: inout [Partial], constraints: Int) {
        guard partials.count > 1 else { return }
        partials.sort { first, second in
            for lane in 1...constraints where first.point[lane] != second.point[lane] {
                return first.point[lane] < second.point[lane]
            }
            if first.point[0] != second.point[0] { return first.point[0] < second.point[0] }
            return (first.parent, first.option) < (second.parent, second.option)
        }
        switch constraints {
        case 1:
            var least = Double.infinity
            partials.removeAll { partial in
                if partial.point[0] >= least { return true }
                least = partial.point[0]
                return false
            }
        case 2:
            var front = PrefixMinimum(partials.map { $0.point[2] })
            partials.removeAll { !front.insert(key: $0.point[2], value: $0.point[0]) }
        default:
            // With three and more limits only near neighbours are compared: what stays by mistake costs time, nothing else.
            var kept: [Partial] = []
            for partial in partials {
                let isBeaten = kept.suffix(32).contains { other in
                    (0...constraints).allSatisfy { other.point[$0] <= partial.point[$0] }
                }
                if !isBeaten { kept.append(partial) }
            }
            partials = kept
        }
    }
}

/// The least value among keys up to a given one, under insertion: a Fenwick tree over the ranks of the keys.
struct PrefixMinimum {
    private var keys: [Double]
    private var tree: [Double]

    /// - Parameter keys: all keys that will be inserted, in any order.
    init(_ keys: [Double]) {
        self.keys = keys.sorted()
        tree = Array(repeating: .infinity, count: keys.count + 1)
    }

    /// Inserts a value unless a key up to `key` holds one that is no larger; whether it did.
    mutating func insert(key: Double, value: Double) -> Bool {
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < key { low = middle + 1 } else { high = middle }
        }
        let rank = low + 1
        var index = rank
        while index > 0 {
            if tree[index] <= value { return false }
            index &= index - 1
        }
        index = rank
        while index < tree.count {
            tree[index] = min(tree[index], value)
            index += index & -index
        }
        return true
    }
}
