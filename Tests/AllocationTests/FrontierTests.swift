import BitplanAllocation
import BitplanTensors
import Testing

@Suite struct FrontierTests {
    @Test(arguments: InstanceKind.allCases)
    func completeFrontierHoldsAllParetoPoints(kind: InstanceKind) throws {
        for seed in 0..<60 {
            var random = SeededGenerator(seed: 500 + seed)
            let items = 1 + random.below(5)
            var problem = instance(
                kind, items: items, options: 1 + random.below(4), budgets: 1, fraction: 0.5, seed: seed)
            if random.below(3) == 0, items > 1 { problem.ties = [[0, items - 1]] }
            problem.budgets[0].fixedCost = Double(random.below(3))
            let frontier = try problem.frontier(of: "bytes")
            #expect(frontier.extent == .complete)
            let expected = try paretoPoints(problem)
            // Sums of reals in different orders differ in the last place: pairs that close are one.
            let scale = 1e-12 * (1 + (expected.last?.cost ?? 0))
            #expect(frontier.points.count == expected.count, "\(kind) seed \(seed)")
            for (point, other) in zip(frontier.points, expected) {
                #expect(abs(point.cost - other.cost) <= scale, "\(kind) seed \(seed)")
                #expect(abs(point.loss - other.loss) <= 1e-11 * (1 + abs(other.loss)), "\(kind) seed \(seed)")
                let evaluation = try problem.check(point.choice)
                #expect(evaluation.costs == [point.cost] && evaluation.loss == point.loss)
                #expect(evaluation.brokenTies.isEmpty)
            }
        }
    }

    private func paretoPoints(_ problem: AllocationProblem) throws -> [(cost: Double, loss: Double)] {
        var open = problem
        open.budgets[0].limit = nil
        var points: [(cost: Double, loss: Double)] = []
        var choice = open.items.map { _ in 0 }
        enumeration: while true {
            let evaluation = try open.check(choice)
            if evaluation.isFeasible { points.append((evaluation.costs[0], evaluation.loss)) }
            for position in choice.indices.reversed() {
                choice[position] += 1
                if choice[position] < open.items[position].options.count { continue enumeration }
                choice[position] = 0
            }
            break
        }
        points.sort { $0 < $1 }
        var front: [(cost: Double, loss: Double)] = []
        for point in points where front.last.map({ point.loss < $0.loss - 1e-13 * abs($0.loss) }) ?? true {
            front.append(point)
        }
        return front
    }

    @Test func everyPointOfALargerFrontierIsTheExactOptimum() throws {
        let problem = instance(.transformer, items: 31, options: 4, budgets: 1, fraction: 0.5, seed: 3)
        let frontier = try problem.frontier(of: "bytes")
        #expect(frontier.extent == .complete)
        #expect(frontier.points.count > 100)
        for index in stride(from: 0, to: frontier.points.count, by: 37) {
            var limited = problem
            limited.budgets[0].limit = frontier.points[index].cost
            let solution = try limited.solve()
            #expect(abs(solution.loss - frontier.points[index].loss) < 1e-12)
            #expect(frontier.index(atMost: frontier.points[index].cost) == index)
        }
        #expect(frontier.index(atMost: frontier.points[0].cost - 1) == nil)
    }

    @Test func hullOfALargeProblemLiesBelowItsExactPoints() throws {
        let problem = instance(.transformer, items: 400, options: 12, budgets: 1, fraction: 0.5, seed: 4)
        let range = try problem.costRange(of: "bytes")
        let costs = (1..<8).map { range.lowerBound + (range.upperBound - range.lowerBound) * Double($0) / 8 }
        let hull = try problem.frontier(of: "bytes", effort: 100_000)
        #expect(hull.extent == .sampled)
        #expect(hull.points.first?.cost == range.lowerBound)
        let both = try problem.frontier(of: "bytes", exactAt: costs, effort: 100_000)
        #expect(both.points.count > hull.points.count)
        // Vertices of the hull are optima themselves, so each stays, and each is a vertex still.
        let vertices = both.hull.map { both.points[$0] }
        let missing = hull.points.filter { point in
            !vertices.contains { abs($0.cost - point.cost) < 1 && abs($0.loss - point.loss) < 1e-9 }
        }
        // Changes of nearly equal slope may swap: a vertex within rounding of an edge.
        #expect(missing.count <= hull.points.count / 100)
        let middle = try #require(hull.points.first { $0.cost > costs[3] })
        var limited = problem
        limited.budgets[0].limit = middle.cost
        #expect(abs(try limited.solve().loss - middle.loss) < 1e-9)
    }

    @Test func frontierWithinAnotherLimit() throws {
        let problem = instance(.transformer, items: 31, options: 6, budgets: 2, fraction: 0.3, seed: 5)
        let range = try problem.costRange(of: "bytes")
        let costs = (0...10).map {
            range.lowerBound + (range.upperBound - range.lowerBound) * Double($0) / 10
        }
        let frontier = try problem.frontier(of: "bytes", exactAt: costs)
        #expect(frontier.extent == .sampled)
        #expect(frontier.points.count > 3)
        for point in frontier.points {
            #expect(try problem.check(point.choice).exceeded.allSatisfy { $0 == "bytes" })
        }
    }

    @Test func kneeAndHullOfAKnownCurve() throws {
        // One item: costs 0, 1, 2, 4, 10 with losses 10, 5, 4.5, 1, 0. (2, 4.5) lies above the line from (1,
        // 5) to (4, 1).
        let options = [(0.0, 10.0), (1, 5), (2, 4.5), (4, 1), (10, 0)].map {
            AllocationProblem.Option(label: "\($0.0)", loss: $0.1, costs: [$0.0])
        }
        let problem = AllocationProblem(
            items: [.init(name: "a", options: options)], budgets: [.init(name: "bytes")])
        let frontier = try problem.frontier(of: "bytes")
        #expect(frontier.points.map(\.cost) == [0, 1, 2, 4, 10])
        #expect(frontier.hull == [0, 1, 3, 4])
        // Depths below the line: 0, 0.4, 0.35, 0.5, 0.
        #expect(frontier.knee == 3)
    }

    @Test func shadowPricesSupportTheHull() throws {
        for seed in 0..<20 {
            let problem = instance(.random, items: 8, options: 5, budgets: 1, fraction: 0.5, seed: seed)
            let frontier = try problem.frontier(of: "bytes")
            for vertex in frontier.hull.dropFirst().dropLast() {
                let at = frontier.points[vertex]
                let price = try problem.shadowPrices(of: at.choice, in: "bytes").lossPerUnit[0]
                #expect(price > 0, "seed \(seed)")
                for point in frontier.points {
                    #expect(point.loss >= at.loss - price * (point.cost - at.cost) - 1e-9, "seed \(seed)")
                }
            }
        }
    }

    @Test func stepsAreTheNeighbouringOptions() throws {
        let options = [
            ("bcq1", 8.0, 10.0), ("bcq2", 2, 20), ("int2", 3, 20), ("bcq3", 1, 30), ("bad3", 4, 25),
        ].map {
            AllocationProblem.Option(label: $0.0, loss: $0.1, costs: [$0.2])
        }
        let item = AllocationProblem.Item(name: "a", options: options)
        var other = item
        other.name = "b"
        var problem = AllocationProblem(items: [item, other], budgets: [.init(name: "bytes")])
        var prices = try problem.shadowPrices(of: [1, 3], in: "bytes")
        #expect(prices.items.count == 2)
        #expect(prices.items[0].cheaper?.label == "bcq1")
        #expect(prices.items[0].cheaper?.lossPerUnit == 0.6)
        #expect(prices.items[0].dearer?.label == "bcq3")
        #expect(prices.items[0].dearer?.lossPerUnit == 0.1)
        #expect(prices.items[1].cheaper?.label == "bad3")
        #expect(prices.items[1].dearer == nil)
        problem.ties = [[0, 1]]
        prices = try problem.shadowPrices(of: [1, 1], in: "bytes")
        #expect(prices.items.map(\.items) == [[0, 1]])
        #expect(prices.items[0].cheaper?.lossChange == 12)
        #expect(prices.items[0].cheaper?.costChanges == [-20])
        #expect(throws: AllocationError.self) { try problem.shadowPrices(of: [0, 1], in: "bytes") }
    }
}
