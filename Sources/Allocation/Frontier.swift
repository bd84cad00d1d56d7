/// The trade-off of one cost against loss: plans of which none has both a smaller cost and a smaller or equal
/// loss than another.
package struct Frontier: Hashable, Sendable {
    /// One plan of the frontier.
    package struct Point: Hashable, Sendable {
        /// The cost, fixed cost included.
        package let cost: Double
        /// The summed loss.
        package let loss: Double
        /// Per item of the problem, the index of its option.
        package let choice: [Int]
    }

    /// Which points a frontier holds.
    package enum Extent: String, Hashable, Sendable {
        /// Every Pareto-optimal pair of cost and loss.
        case complete
        /// The vertices of the lower convex hull, and exact points at the costs asked for.
        case sampled
    }

    /// The budget whose cost is meant.
    package let budget: String
    /// Which points there are.
    package let extent: Extent
    /// By ascending cost and descending loss.
    package let points: [Point]

    init(budget: String, extent: Extent, points: [Point]) {
        self.budget = budget
        self.extent = extent
        var front: [Point] = []
        for point in points.sorted(by: { ($0.cost, $0.loss) < ($1.cost, $1.loss) })
        where front.last.map({ point.loss < $0.loss }) ?? true {
            front.append(point)
        }
        self.points = front
    }

    /// The index of the dearest point of at most this cost; nil where all are dearer.
    package func index(atMost cost: Double) -> Int? { points.lastIndex { $0.cost <= cost } }

    /// Indices of the vertices of the lower convex hull, first and last point included.
    ///
    /// - Complexity: O(points).
    package var hull: [Int] {
        var hull: [Int] = []
        for index in points.indices {
            while hull.count > 1, !isBelow(hull[hull.count - 2], hull[hull.count - 1], index) {
                hull.removeLast()
            }
            hull.append(index)
        }
        return hull
    }

    private func isBelow(_ first: Int, _ middle: Int, _ last: Int) -> Bool {
        let (a, b, c) = (points[first], points[middle], points[last])
        return (b.loss - a.loss) * (c.cost - a.cost) < (c.loss - a.loss) * (b.cost - a.cost)
    }

    /// The index of the knee: where, with both axes scaled to [0, 1] from first to last point, the curve lies
    /// farthest below the straight line between them; the first of equals. Nil with fewer than three points.
    ///
    /// - Source: Satopää et al. 2011, "Finding a kneedle in a haystack".
    package var knee: Int? {
        guard points.count > 2, let first = points.first, let last = points.last else { return nil }
        var best = (index: 0, depth: -Double.infinity)
        for (index, point) in points.enumerated() {
            let across = (point.cost - first.cost) / (last.cost - first.cost)
            let down = (first.loss - point.loss) / (first.loss - last.loss)
            if down - across > best.depth { best = (index, down - across) }
        }
        return best.index
    }
}

extension AllocationProblem {
    /// The trade-off of the named budget's cost against loss, ties respected. The named budget's own limit
    /// and the objective play no part.
    ///
    /// Where no other budget has a limit and all Pareto-optimal plans can be enumerated within `effort`, the
    /// frontier is complete. Otherwise it holds the vertices of the convex hull (where no other budget has a
    /// limit), and the exact optimum at each of `costs` that can be met.
    /// - Parameters:
    ///   - budget: the budget's name.
    ///   - costs: where exact points are wanted in any case; fixed cost included.
    ///   - effort: how many partial plans may be formed, in the enumeration and in each exact solution.
    /// - Complexity: the enumeration takes O(effort log effort); the hull O(options log options).
    /// - Throws: `AllocationError`: a malformed problem, or no plan within the other limits.
    package func frontier(of budget: String, exactAt costs: [Double] = [], effort: Int = 1_000_000)
        throws(AllocationError) -> Frontier
    {
        try validate()
        guard let index = budgetIndex(budget) else { throw .unknownBudget(budget) }
        var open = self
        open.objective = .loss
        open.budgets[index].limit = nil
        let merged = try MergedItems(self)
        let isFree = open.budgets.allSatisfy { $0.limit == nil }

        func point(_ choice: [Int]) -> Frontier.Point {
            let evaluation = open.evaluate(choice)
            return Frontier.Point(cost: evaluation.costs[index], loss: evaluation.loss, choice: choice)
        }
        if isFree,
            let choices = ParetoEnumeration(merged, budget: index, effort: min(effort, 1 << 30)).choices
        {
            return Frontier(
                budget: budget, extent: .complete, points: choices.map { point(merged.expand($0)) })
        }

        var points: [Frontier.Point] = []
        if isFree {
            points = hullChoices(merged, budget: index).map { point(merged.expand($0)) }
        } else {
            // The ends of what the other limits allow.
            points.append(point(try open.solve(effort: effort).choice))
            let loss = items.reduce(into: PairSum()) { sum, item in
                sum.add(item.options.reduce(-.infinity) { max($0, $1.loss) })
            }
            var cheapest = open
            cheapest.objective = .cost(budget: budget, lossLimit: loss.rounded)
            points.append(point(try cheapest.solve(effort: effort).choice))
        }
        for cost in costs {
            var limited = open
            limited.budgets[index].limit = cost
            do {
                points.append(point(try limited.solve(effort: effort).choice))
            } catch AllocationError.infeasible {
                // No plan is that cheap: no point there.
            } catch AllocationError.undecided {
            }
        }
        return Frontier(budget: budget, extent: .sampled, points: points)
    }

    /// The plans at the vertices of the convex hull: from the cheapest plan on, the change of one item that
    /// gains most loss per cost.
    private func hullChoices(_ merged: MergedItems, budget: Int) -> [[Int]] {
        var choice: [Int] = []
        var changes: [(slope: Double, entry: Int, option: Int)] = []
        for (position, entry) in merged.entries.enumerated() {
            let points = entry.losses.indices.map { option in
                Frontier.Point(
                    cost: entry.costs[budget][option], loss: entry.losses[option], choice: [option])
            }
            let front = Frontier(budget: "", extent: .complete, points: points)
            let vertices = front.hull.map { front.points[$0] }
            choice.append(vertices[0].choice[0])
            for (from, to) in zip(vertices, vertices.dropFirst()) {
                changes.append(((to.loss - from.loss) / (to.cost - from.cost), position, to.choice[0]))
            }
        }
        // Along one item slopes ascend, so sorting keeps its changes in order; equal slopes keep theirs by
        // entry and position.
        let order = changes.indices.sorted { (changes[$0].slope, $0) < (changes[$1].slope, $1) }
        var choices = [choice]
        for (rank, index) in order.enumerated() {
            choice[changes[index].entry] = changes[index].option
            // Between changes of one slope lie points on an edge, not vertices.
            if rank + 1 < order.count, changes[order[rank + 1]].slope == changes[index].slope { continue }
            choices.append(choice)
        }
        return choices
    }
}
