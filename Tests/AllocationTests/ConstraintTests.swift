import BitplanAllocation
import PlanFormat
import Testing

@Suite struct ConstraintTests {
    /// A small translation model: every sublayer at bcq1...bcq4 and fp32.
    static func model() -> AllocationProblem {
        let names =
            ["Emb"] + (0..<3).flatMap { ["Enc_ee.\($0)", "Enc_ffn.\($0)"] }
            + (0..<3).flatMap { ["Dec_dd.\($0)", "Dec_ed.\($0)", "Dec_ffn.\($0)"] }
        let items = names.enumerated().map { index, name in
            AllocationProblem.Item(
                name: name,
                options: ["bcq1", "bcq2", "bcq3", "bcq4", "fp32"].enumerated().map { k, label in
                    let loss = label == "fp32" ? 0 : Double(index + 1) / Double(1 << (2 * k + 2))
                    return .init(
                        label: label, loss: loss, costs: [label == "fp32" ? 3200 : Double(k + 1) * 100])
                })
        }
        return AllocationProblem(
            items: items, budgets: [.init(name: "bytes", limit: 5000, fixedCost: 500)])
    }

    private func labels(_ problem: AllocationProblem, _ solution: AllocationSolution) -> [String: String] {
        var labels: [String: String] = [:]
        for (item, option) in zip(problem.items, solution.choice) {
            labels[item.name] = item.options[option].label
        }
        return labels
    }

    @Test func pinsAndPatterns() throws {
        var problem = Self.model()
        try problem.restrict("Dec_ed.2=bcq4")
        try problem.restrict("Enc_ffn.*=bcq1,bcq2")
        try problem.restrict("Dec_dd=bcq2")
        let solution = try problem.solve()
        let labels = labels(problem, solution)
        #expect(labels["Dec_ed.2"] == "bcq4")
        #expect((0..<3).allSatisfy { ["bcq1", "bcq2"].contains(labels["Enc_ffn.\($0)"]) })
        #expect((0..<3).allSatisfy { labels["Dec_dd.\($0)"] == "bcq2" })
        #expect(solution.costs[0] <= 5000)
    }

    @Test func minimumBits() throws {
        var problem = Self.model()
        try problem.requireBits(atLeast: 2)
        try problem.requireBits(atLeast: 5, matching: "Emb")
        problem.budgets[0].limit = 8000
        let labels = labels(problem, try problem.solve())
        #expect(!labels.values.contains("bcq1"))
        #expect(labels["Emb"] == "fp32")
        #expect(throws: AllocationError.self) { try problem.requireBits(atLeast: 33, matching: "Emb") }
    }

    @Test func tiesByTypeAndByDepth() throws {
        var byType = Self.model()
        byType.tie(.types)
        #expect(byType.ties.count == 5)
        let types = labels(byType, try byType.solve())
        for type in ["Enc_ee", "Enc_ffn", "Dec_dd", "Dec_ed", "Dec_ffn"] {
            #expect(Set((0..<3).map { types["\(type).\($0)"] }).count == 1)
        }
        var byDepth = Self.model()
        byDepth.tie(.depth)
        #expect(byDepth.ties.count == 6)
        let depths = labels(byDepth, try byDepth.solve())
        for depth in 0..<3 {
            #expect(depths["Enc_ee.\(depth)"] == depths["Enc_ffn.\(depth)"])
            #expect(depths["Dec_dd.\(depth)"] == depths["Dec_ffn.\(depth)"])
        }
        let free = try Self.model().solve()
        #expect(try byType.solve().loss >= free.loss)
        #expect(try byDepth.solve().loss >= free.loss)
        // Both at once: every item of a stack is tied to every other.
        byDepth.tie(.types)
        let both = labels(byDepth, try byDepth.solve())
        #expect(Set(both.filter { $0.key.hasPrefix("Enc") }.values).count == 1)
        #expect(try byDepth.solve().loss >= byType.solve().loss)
        var pinned = byType
        try pinned.restrict("Enc_ee.1=bcq3")
        #expect(labels(pinned, try pinned.solve())["Enc_ee.0"] == "bcq3")
        try pinned.restrict("Enc_ee.2=bcq4")
        #expect(throws: AllocationError.tieWithoutCommonOption(items: ["Enc_ee.0", "Enc_ee.1", "Enc_ee.2"])) {
            try pinned.solve()
        }
    }

    @Test func impossibleBudgetsSayWhichAndByHowMuch() throws {
        var problem = Self.model()
        problem.budgets[0].limit = 2000
        #expect(
            message { try problem.solve() }
                == "bytes of at most 2000 cannot be met: the smallest achievable is 2100, over by 100")
        #expect(try problem.costRange(of: "bytes") == 2100...51700)

        // Two limits that can be met alone, but not together.
        let item = AllocationProblem.Item(
            name: "a",
            options: [
                .init(label: "small", loss: 0, costs: [1, 9]), .init(label: "fast", loss: 0, costs: [9, 1]),
                .init(label: "middle", loss: 0, costs: [5, 5]),
            ])
        problem = AllocationProblem(
            items: [item], budgets: [.init(name: "bytes", limit: 5), .init(name: "seconds", limit: 2)])
        #expect(
            message { try problem.solve() }
                == "seconds of at most 2 cannot be met: the smallest achievable is 5 within the limits of bytes, over by 3"
        )

        problem = Self.model()
        problem.objective = .cost(budget: "bytes", lossLimit: 0.1)
        #expect(
            message { try problem.solve() }.hasPrefix(
                "loss of at most 0.1 cannot be met: the smallest achievable is "))
        problem.objective = .cost(budget: "bytes", lossLimit: -0.5)
        problem.budgets[0].limit = nil
        #expect(
            message { try problem.solve() }
                == "loss of at most -0.5 cannot be met: the smallest achievable is 0, over by 0.5")
    }

    @Test func badProblemsAreRefused() throws {
        let good = Self.model()
        func expect(_ text: String, _ change: (inout AllocationProblem) throws -> Void) {
            let got = message {
                var problem = good
                try change(&problem)
                return try problem.solve()
            }
            #expect(got == text)
        }
        expect("nothing to allocate: the problem has no items") { $0.items = [] }
        expect("two items or budgets are called 'Emb'") { $0.items.append($0.items[0]) }
        expect("two items or budgets are called 'bytes'") { $0.budgets.append($0.budgets[0]) }
        expect("no option is left for 'Emb'") { $0.items[0].options = [] }
        expect("option 'bcq2' of 'Emb': expected 1 costs, one per budget, got 0") {
            $0.items[0].options[1].costs = []
        }
        expect("the loss of option 'bcq1' of 'Emb' is not a finite number") {
            $0.items[0].options[0].loss = .nan
        }
        expect("the cost in bytes of option 'bcq1' of 'Emb' is not a finite number") {
            $0.items[0].options[0].costs = [.infinity]
        }
        expect("the sum of the losses is not a finite number") { $0.items[0].options[0].loss = 1e300 }
        expect("the limit of 'bytes' is not a finite number") { $0.budgets[0].limit = .nan }
        expect("no budget is called 'joules'") { $0.objective = .cost(budget: "joules", lossLimit: 1) }
        expect("a tie names item 99, expected an index below 16") { $0.ties = [[0, 99]] }
        expect("constraint 'Enc': expected NAME=SCHEME or NAME=SCHEME,SCHEME") { try $0.restrict("Enc") }
        expect("constraint 'Enc_xx=bcq1': no sublayer is called 'Enc_xx'") { try $0.restrict("Enc_xx=bcq1") }
        expect("constraint 'Emb=bcq9': 'Emb' has only bcq1, bcq2, bcq3, bcq4, fp32") {
            try $0.restrict("Emb=bcq9")
        }
        expect("constraint 'Emb=bcq1,': expected a scheme on each side of a comma") {
            try $0.restrict("Emb=bcq1,")
        }
        #expect(throws: AllocationError.self) { try good.check([0]) }
        #expect(throws: AllocationError.self) { try good.check(good.items.map { _ in 5 }) }
    }

    @Test func withoutLimitsTheLeastLossIsTaken() throws {
        var problem = Self.model()
        problem.budgets[0].limit = nil
        let solution = try problem.solve()
        #expect(solution.loss == 0)
        #expect(solution.costs == [51700])
        problem.budgets = []
        for item in problem.items.indices {
            for option in problem.items[item].options.indices {
                problem.items[item].options[option].costs = []
            }
        }
        #expect(try problem.solve().status == .optimal)
    }

    @Test func theCheckSeesEveryViolation() throws {
        var problem = Self.model()
        problem.tie(.types)
        var choice = problem.items.map { _ in 0 }
        #expect(try problem.check(choice).isFeasible)
        choice[1] = 1
        #expect(try problem.check(choice).brokenTies == [0])
        choice = problem.items.map { _ in 4 }
        #expect(try problem.check(choice).exceeded == ["bytes"])
        #expect(try problem.check(choice).costs == [51700])
        problem.objective = .cost(budget: "bytes", lossLimit: 0.5)
        #expect(try problem.check(problem.items.map { _ in 0 }).exceeded == ["loss"])
    }

    private func message(_ body: () throws -> Any) -> String {
        do {
            _ = try body()
            return "no error"
        } catch {
            return "\(error)"
        }
    }
}
