import BitplanAllocation
import BitplanTensors
import Testing

/// Thousands of small instances against trying all plans.
@Suite struct SolveSmallTests {
    @Test(arguments: InstanceKind.allCases, [1, 2, 3])
    func agreesWithBruteForce(kind: InstanceKind, budgets: Int) throws {
        for seed in 0..<200 {
            var random = SeededGenerator(seed: 1000 + seed)
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

    /// Magnitudes far apart, negative and zero costs and losses, repeated items.
    @Test func agreesWithBruteForceOnWildNumbers() throws {
        var unproved = 0
        for seed in 0..<1500 {
            var random = SeededGenerator(seed: 90_000 + seed)
            func number() -> Double {
                let scale = [0, 1e-12, 1e-3, 1, 1, 1e6][random.below(6)]
                return scale * Double(random.below(9) - 3)
            }
            let budgets = 1 + random.below(3)
            var items: [AllocationProblem.Item] = []
            for index in 0..<(1 + random.below(5)) {
                if index > 0, random.below(3) == 0 {
                    items.append(.init(name: "\(index)", options: items[index - 1].options))
                    continue
                }
                let options = (0..<(1 + random.below(4))).map { option in
                    AllocationProblem.Option(
                        label: "\(option)", loss: number(), costs: (0..<budgets).map { _ in number() })
                }
                items.append(.init(name: "\(index)", options: options))
            }
            var problem = AllocationProblem(
                items: items,
                budgets: (0..<budgets).map {
                    .init(name: "\($0)", limit: random.below(5) == 0 ? nil : number())
                })
            if try !compare(problem, "wild seed \(seed)", isWild: true) { unproved += 1 }
            problem.objective = .cost(budget: "0", lossLimit: number())
            if try !compare(problem, "wild seed \(seed), least cost", isWild: true) { unproved += 1 }
        }
        // Where limits of 1e-12 stand beside costs of 1e6, the answer may be that nothing is proved; never a
        // wrong proof.
        #expect(unproved <= 100)
    }

    /// Solves and compares; whether the answer was proved.
    @discardableResult
    private func compare(_ problem: AllocationProblem, _ comment: String, isWild: Bool = false) throws -> Bool
    {
        let expected = try bruteForce(problem)
        let tolerance =
            1e-12
            * problem.items.reduce(1) { sum, item in
                sum + item.options.reduce(0) { max($0, abs($1.loss), $1.costs.map(abs).max() ?? 0) }
            }
        do {
            let solution = try problem.solve()
            let evaluation = try problem.check(solution.choice)
            #expect(evaluation.isFeasible, "\(comment)")
            #expect(evaluation.loss == solution.loss, "\(comment)")
            #expect(evaluation.costs == solution.costs, "\(comment)")
            #expect((solution.status == .optimal) == (solution.gap == 0), "\(comment)")
            let best = try #require(expected, "\(comment)")
            #expect(solution.lowerBound <= best.objective + tolerance, "\(comment)")
            #expect(solution.objective >= best.objective - tolerance, "\(comment)")
            if solution.status == .feasible {
                #expect(isWild, "\(comment)")
                return false
            }
            #expect(abs(solution.objective - best.objective) <= tolerance, "\(comment)")
            if !isWild { #expect(abs(solution.loss - best.loss) <= tolerance, "\(comment)") }
        } catch AllocationError.infeasible(let infeasibility) {
            #expect(expected == nil, "\(comment): \(infeasibility)")
            #expect(infeasibility.isExact || isWild, "\(comment)")
            #expect(infeasibility.overrun > 0, "\(comment)")
        } catch AllocationError.undecided {
            #expect(isWild, "\(comment)")
            return false
        }
        return true
    }
}
