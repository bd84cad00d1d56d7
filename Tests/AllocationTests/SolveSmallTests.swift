import Allocation
import Testing

/// Thousands of small instances against trying all plans.
@Suite struct SolveSmallTests {
    @Test(arguments: InstanceKind.allCases, [1, 2, 3])
    func agreesWithBruteForce(kind: InstanceKind, budgets: Int) throws {
        for seed in 0..<200 {
            var random = SplitMix64(seed: 1000 + seed)
            let items = 1 + random.below(5)
            let options = 1 + random.below(4)
            var problem = instance(
                kind, items: items, options: options, budgets: budgets,
                fraction: -0.1 + 1.2 * random.uniform(), seed: seed)
            if random.below(4) == 0, items > 1 { problem.ties = [[0, items - 1]] }
            if random.below(4) == 0 { try problem.restrict("item.0=\(random.below(options))") }
            try compare(problem, "\(kind) seed \(seed)")

            let loss = problem.items.reduce(0) { $0 + ($1.options.map(\.loss).min() ?? 0) }
            problem.objective = .cost(
                budget: problem.budgets[random.below(budgets)].name,
                lossLimit: loss + random.uniform() * Double(items))
            try compare(problem, "\(kind) seed \(seed), least cost")
        }
    }

    private func compare(_ problem: AllocationProblem, _ comment: String) throws {
        let expected = try bruteForce(problem)
        do {
            let solution = try problem.solve()
            let evaluation = try problem.check(solution.choice)
            #expect(evaluation.isFeasible, "\(comment)")
            #expect(evaluation.loss == solution.loss, "\(comment)")
            #expect(evaluation.costs == solution.costs, "\(comment)")
            #expect(solution.status == .optimal, "\(comment)")
            #expect(solution.gap == 0, "\(comment)")
            let best = try #require(expected, "\(comment)")
            let tolerance = 1e-11 * problem.items.reduce(1) { $0 + abs($1.options.map(\.loss).max() ?? 0) }
            #expect(abs(solution.objective - best.objective) <= tolerance, "\(comment)")
            #expect(abs(solution.loss - best.loss) <= tolerance, "\(comment)")
        } catch AllocationError.infeasible(let infeasibility) {
            #expect(expected == nil, "\(comment): \(infeasibility)")
            #expect(infeasibility.isExact, "\(comment)")
            #expect(infeasibility.overrun > 0, "\(comment)")
        }
    }
}
