import BitplanAllocation
import Foundation
import TestSupport
import Testing

/// Optima by HiGHS (Scripts/goldens/allocation.py), of instances stored by seed.
@Suite struct GoldenTests {
    struct Goldens: Decodable {
        var solver: String
        var cases: [Case]
    }

    struct Case: Decodable {
        var kind: InstanceKind
        var variant: String
        var items: Int
        var options: Int
        var budgets: Int
        var fraction: Double
        var seed: Int
        /// 0 where HiGHS proved its optimum, 1 where its time was up.
        var status: Int
        var seconds: Double
        var objective: Double
        var bound: Double
        /// How far HiGHS's plan exceeds each limit, as a fraction of it: its tolerance allows a little.
        var overrun: [Double]

        var problem: AllocationProblem {
            var problem = instance(
                kind, items: items, options: options, budgets: budgets, fraction: fraction, seed: seed)
            switch variant {
            case "pins":
                for item in stride(from: 0, to: items, by: 7) {
                    problem.items[item].options = [problem.items[item].options[3]]
                }
            case "ties":
                problem.ties = stride(from: 0, to: items, by: 5).map { Array($0..<min($0 + 5, items)) }
            case "cost":
                let least = problem.items.reduce(0) { $0 + ($1.options.map(\.loss).min() ?? 0) }
                let most = problem.items.reduce(0) { $0 + ($1.options.map(\.loss).max() ?? 0) }
                problem.budgets[0].limit = nil
                problem.objective = .cost(budget: "bytes", lossLimit: least + (most - least) * 0.1)
            default: break
            }
            return problem
        }
    }

    @Test func agreesWithHiGHS() throws {
        let url = TestFiles.root.appending(path: "Tests/AllocationTests/Goldens/allocation.json")
        let goldens = try JSONDecoder().decode(Goldens.self, from: Data(contentsOf: url))
        #expect(goldens.cases.count > 50)
        print("case                       ours      HiGHS (its own run), seconds")
        for golden in goldens.cases {
            let name = "\(golden.kind)-\(golden.variant)-\(golden.items)-\(golden.budgets)"
            let problem = golden.problem
            let clock = ContinuousClock()
            var solved: AllocationSolution?
            let time = try clock.measure { solved = try problem.solve() }
            let solution = try #require(solved)
            let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
            print(
                name.padding(toLength: 26, withPad: " ", startingAt: 0),
                String(format: "%8.4f %8.3f", seconds, golden.seconds), solution.status, solution.gap)

            let evaluation = try problem.check(solution.choice)
            #expect(evaluation.isFeasible, "\(name)")
            #expect(evaluation.loss == solution.loss && evaluation.costs == solution.costs, "\(name)")
            #expect(solution.status == .optimal && solution.gap == 0, "\(name)")
            // HiGHS's plan may exceed limits by its tolerance, and its proof stops at an absolute gap of
            // 1e-6.
            let isWithin = golden.overrun.allSatisfy { $0 == 0 }
            let rounding = 1e-12 * max(1, abs(golden.objective))
            if isWithin { #expect(solution.objective <= golden.objective + rounding, "\(name)") }
            let slack = isWithin ? 1e-6 + rounding : 1e-6 * max(1, abs(golden.objective))
            #expect(solution.objective >= golden.bound - slack, "\(name)")
            if golden.status == 0 {
                #expect(abs(solution.objective - golden.objective) <= slack, "\(name)")
            }
        }
    }
}
