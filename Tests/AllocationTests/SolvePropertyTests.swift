import BitplanAllocation
import Testing

/// What must hold of any problem, at sizes that brute force does not reach.
@Suite struct SolvePropertyTests {
    @Test(arguments: InstanceKind.allCases, [1, 2])
    func moreBudgetNeverCostsLoss(kind: InstanceKind, budgets: Int) throws {
        for seed in 0..<4 {
            var last = Double.infinity
            for fraction in [0.2, 0.3, 0.301, 0.5, 0.9, 1.0] {
                let problem = instance(
                    kind, items: 40, options: 6, budgets: budgets, fraction: fraction, seed: seed)
                let loss = try problem.solve().loss
                #expect(
                    loss <= last + 1e-11 * abs(last == .infinity ? 0 : last),
                    "\(kind) seed \(seed) at \(fraction)")
                last = loss
            }
            let free = instance(kind, items: 40, options: 6, budgets: budgets, fraction: 1, seed: seed)
            let least = free.items.reduce(0) { $0 + ($1.options.map(\.loss).min() ?? 0) }
            #expect(abs(last - least) < 1e-9, "\(kind) seed \(seed)")
        }
    }

    @Test(arguments: InstanceKind.allCases)
    func orderOfItemsAndBudgetsDoesNotMatter(kind: InstanceKind) throws {
        let problem = instance(kind, items: 30, options: 8, budgets: 2, fraction: 0.3, seed: 9)
        var other = problem
        other.items.reverse()
        other.budgets.reverse()
        for item in other.items.indices {
            other.items[item].options.reverse()
            for option in other.items[item].options.indices {
                other.items[item].options[option].costs.reverse()
            }
        }
        let (first, second) = (try problem.solve(), try other.solve())
        #expect(abs(first.objective - second.objective) <= 1e-11 * abs(first.objective))
    }

    @Test func sameProblemSameAnswer() throws {
        for budgets in 1...3 {
            let problem = instance(.ties, items: 60, options: 12, budgets: budgets, fraction: 0.3, seed: 11)
            #expect(try problem.solve() == problem.solve())
        }
    }

    @Test func aBudgetOfAPlansOwnCostIsMet() throws {
        // Sums of seconds are rounded: the very sum a plan reports must still let the plan through.
        for seed in 0..<50 {
            var problem = instance(.transformer, items: 21, options: 4, budgets: 3, fraction: 0.4, seed: seed)
            let solution = try problem.solve()
            for index in problem.budgets.indices { problem.budgets[index].limit = solution.costs[index] }
            let again = try problem.solve()
            #expect(again.status == .optimal, "seed \(seed)")
            #expect(abs(again.loss - solution.loss) <= 1e-12, "seed \(seed)")
            // And the other way round: nothing smaller reaches the loss.
            problem.budgets[1].limit = nil
            problem.budgets[2].limit = nil
            problem.objective = .cost(budget: "bytes", lossLimit: solution.loss)
            let smallest = try problem.solve()
            #expect(smallest.costs[0] <= solution.costs[0], "seed \(seed)")
            #expect(smallest.loss <= solution.loss, "seed \(seed)")
        }
    }

    @Test func bytesAreExactToOne() throws {
        var problem = instance(.transformer, items: 21, options: 4, budgets: 1, fraction: 0.4, seed: 1)
        problem.budgets[0].fixedCost = 1_234_567
        problem.budgets[0].limit = (problem.budgets[0].limit ?? 0) + 1_234_567
        let solution = try problem.solve()
        problem.budgets[0].limit = solution.costs[0]
        #expect(try problem.solve().loss == solution.loss)
        problem.budgets[0].limit = solution.costs[0] - 1
        let smaller = try problem.solve()
        #expect(smaller.costs[0] < solution.costs[0])
        #expect(smaller.loss > solution.loss)
    }

    @Test(arguments: [10, 1000, 30_000])
    func shortEffortIsHonest(effort: Int) throws {
        var proofs = 0
        for (kind, items) in [(InstanceKind.correlated, 60), (.random, 60), (.ties, 300)] {
            let problem = instance(kind, items: items, options: 12, budgets: 2, fraction: 0.3, seed: 21)
            let best = try problem.solve()
            #expect(best.status == .optimal)
            let quick = try problem.solve(effort: effort)
            #expect(try problem.check(quick.choice).isFeasible)
            let tolerance = 1e-11 * abs(best.objective)
            #expect(quick.objective >= best.objective - tolerance)
            #expect(quick.lowerBound <= best.objective + tolerance)
            #expect(quick.gap >= 0)
            #expect((quick.status == .optimal) == (quick.gap == 0))
            // A beam of partial plans is close to the optimum even without a proof.
            if effort >= 1000 { #expect(quick.objective <= best.objective + 0.1 * abs(best.objective)) }
            if quick.status == .optimal { proofs += 1 }
        }
        #expect(effort > 10 || proofs == 0)
    }

    @Test func multipliersPriceTheMargin() throws {
        let problem = instance(.transformer, items: 300, options: 12, budgets: 1, fraction: 0.3, seed: 2)
        let solution = try problem.solve()
        var relaxed = problem
        let more = 0.02 * solution.costs[0]
        relaxed.budgets[0].limit = (problem.budgets[0].limit ?? 0) + more
        let gained = solution.loss - (try relaxed.solve().loss)
        // Convex: the first units are worth the most.
        #expect(gained <= solution.multipliers[0] * more * 1.001)
        #expect(gained >= solution.multipliers[0] * more * 0.8)
    }
}
