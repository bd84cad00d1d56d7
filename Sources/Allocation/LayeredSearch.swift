/// Goes through the items of a core one by one, keeping every distinct partial plan that could still become a
/// plan below the target: dynamic programming over Pareto-optimal partial plans, cut by Lagrangian bounds of
/// many multipliers.
///
/// A partial plan is dropped where its bound exceeds the target, where the rest cannot bring it within the
/// limits, or where another one has no larger objective and no larger cost of any kind.
///
/// - Source: Pisinger 1995, "A minimal algorithm for the multiple-choice knapsack problem", for one
///   constraint.
struct LayeredSearch<Point: SIMD> where Point.Scalar == Double {
    /// The best plan found below the core's target, as one flat option index per item of the core.
    private(set) var best: [Int]?
    /// Whether everything below the target was looked at.
    private(set) var isComplete = true
    /// Partial plans that passed the bounds.
    private(set) var explored = 0

    /// How a partial plan came from one of the layer before.
    private struct Step {
        var parent: Int32
        var option: Int32
    }

    /// - Parameters:
    ///   - effort: how many partial plans may pass the bounds.
    ///   - beam: how many are kept per item; the search is incomplete where there are more.
    init(_ core: Core<Point>, constraints: Int, effort: Int, beam: Int = .max) {
        var target = core.target
        var layer = [Partial(point: Point(), parent: -1, option: -1)]
        var history: [[Step]] = []
        var found: (position: Int, step: Step)?
        var least = Double.infinity
        var filter = DominanceFilter<Point>(constraints: constraints)

        search: for (position, options) in core.items.enumerated() {
            // Lane 0 is the objective: any value passes `room`, none is raised by `floor`.
            var room = core.slack - core.leastRest[position + 1]
            room[0] = .infinity
            // A cost so small that no rest can bring it to the limit is as good as any other such cost.
            var floor = core.slack - core.largestRest[position + 1]
            floor[0] = -.infinity
            var bounds = zip(core.weights, core.offsets).map { ($0, $1[position + 1]) }
            var next: [Partial<Point>] = []
            let allowed = effort - explored
            for (parent, partial) in layer.enumerated() {
                candidates: for (index, option) in options.enumerated() {
                    let point = partial.point + option.change
                    if any(point .> room) { continue }
                    for rank in bounds.indices where (bounds[rank].0 * point).sum() + bounds[rank].1 > target
                    {
                        // The multipliers that cut most come to the front.
                        if rank > 0 { bounds.swapAt(rank, rank - 1) }
                        continue candidates
                    }
                    var most = core.slack
                    most[0] = target
                    if point[0] < least, all(point .<= most) {
                        // The base choice completes it; only smaller objectives are of interest from here on.
                        least = point[0]
                        found = (position, Step(parent: Int32(parent), option: Int32(index)))
                        target = min(target, point[0] - core.step + core.margin)
                    }
                    next.append(
                        Partial(
                            point: pointwiseMax(point, floor), parent: Int32(parent), option: Int32(index)))
                }
                if next.count > allowed {
                    explored += next.count
                    isComplete = false
                    break search
                }
            }
            explored += next.count
            filter.apply(&next)
            if next.count > beam {
                isComplete = false
                Self.keep(beam, of: &next, bounds)
            }
            history.append(next.map { Step(parent: $0.parent, option: $0.option) })
            layer = next
            if layer.isEmpty { break }
        }

        guard let found else { return }
        var picked = core.baseOptions
        var step = found.step
        for position in (0...found.position).reversed() {
            picked[position] = core.items[position][Int(step.option)].index
            if position > 0 { step = history[position - 1][Int(step.parent)] }
        }
        best = picked
    }

    /// Keeps the partial plans of the smallest bounds.
    private static func keep(_ beam: Int, of partials: inout [Partial<Point>], _ bounds: [(Point, Double)]) {
        let ranked = partials.map { partial in
            (bounds.reduce(-.infinity) { max($0, ($1.0 * partial.point).sum() + $1.1) }, partial)
        }
        partials = ranked.sorted {
            $0.0 != $1.0 ? $0.0 < $1.0 : ($0.1.parent, $0.1.option) < ($1.1.parent, $1.1.option)
        }
        .prefix(beam).map(\.1)
    }
}

/// A plan for the first items of a core.
struct Partial<Point: SIMD> where Point.Scalar == Double {
    /// Objective and costs above the base choice.
    var point: Point
    /// Its predecessor's index among the partial plans of one item less, and the option added.
    var parent: Int32
    var option: Int32
}
