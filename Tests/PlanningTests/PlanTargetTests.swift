import BitplanAllocation
import BitplanLatency
import BitplanPlanning
import BitplanTensors
import Foundation
import PlanFormat
import Testing

/// Plans for budgets of bytes, seconds and joules under pins, choices and ties, against all plans that there
/// are.
@Suite struct PlanTargetTests {
    private static let schemes: [Scheme] = [.bcq(1), .bcq(2), .bcq(3), .full(.fp16)]
    private static let workload = Workload(read: 6, steps: 5, predictions: 5)

    /// Two types of two depths, and an embedding that is looked up and projects.
    private static let work = ModelWork(kinds: [
        "Emb": SublayerWork(products: [.init([0], .predict)], lookups: [.read, .step]),
        "Enc_a": SublayerWork(
            products: [.init([0], .read)], attentions: [.init(.read, over: .read, heads: 2, width: 8)]),
        "Dec_b": SublayerWork(products: [.init([0], .step)]),
    ])

    /// A table of random losses and shapes.
    private func table(seed: UInt64) -> SensitivityTable {
        var generator = SeededGenerator(seed: seed)
        let names: [SublayerName] = [
            SublayerName("Emb"), SublayerName("Enc_a", depth: 0), SublayerName("Enc_a", depth: 1),
            SublayerName("Dec_b", depth: 0), SublayerName("Dec_b", depth: 1),
        ]
        let sublayers = names.map { name in
            SublayerShape(
                name: name,
                matrices: [
                    MatrixShape(
                        tensor: name.description, rows: 8 + generator.index(below: 60),
                        columns: 8 + generator.index(below: 60))
                ])
        }
        let cells = sublayers.flatMap { sublayer in
            Self.schemes.enumerated().map { place, scheme in
                SensitivityCell(
                    row: sublayer.name.description, scheme: scheme, bytes: sublayer.sizeInBytes(scheme),
                    measurement: LossMeasurement(
                        klNats: (generator.uniform() - 0.05) / Double(1 + 2 * place), standardError: nil,
                        crossEntropyNats: 1, sentences: 1))
            }
        }
        return SensitivityTable(
            model: ModelIdentity(type: "test", sha256: String(repeating: "0", count: 64)),
            layout: ModelLayout(sublayers: sublayers, fixedParameters: 17, work: Self.work),
            provenance: Provenance(tool: "test", dataSHA256: "", sentences: 1, metric: "x"), fit: .greedy,
            candidates: Self.schemes,
            fullPrecision: LossMeasurement(klNats: 0, standardError: nil, crossEntropyNats: 1, sentences: 1),
            byType: [], bySublayer: cells, workload: Self.workload)
    }

    /// A machine on which more bits do not always take longer.
    static func profile(
        _ schemes: [Scheme], modelType: String, workingSets: [Int] = [1 << 20],
        factor: () -> Double = { 1 }
    ) -> LatencyProfile {
        LatencyProfile(
            tool: "test",
            machine: .init(processor: "none", instructions: "none", referenceSeconds: 1e-6, disturbance: 0),
            kernels: schemes.enumerated().map { place, scheme in
                let points = [8, 4096].flatMap { rows in
                    [8, 4096].flatMap { columns in
                        [1, 64].flatMap { tokens in
                            workingSets.map { bytes in
                                LatencyProfile.KernelPoint(
                                    rows: rows, columns: columns, tokens: tokens, workingSetBytes: bytes,
                                    seconds: 1e-9 * [1.0, 2.5, 2.2, 4.1][place % 4] * factor()
                                        * Double(rows * columns * tokens), spread: 0, preparationSeconds: 0)
                            }
                        }
                    }
                }
                return .init(scheme: scheme, points: points, lookups: [.init(columns: 8, seconds: 1e-8)])
            },
            overheads: [
                .init(
                    modelType: modelType, seconds: ["item": 1e-6, "readScores": 1e-9], spread: 0,
                    sharesPreparations: false)
            ])
    }

    /// A machine on which a product's time goes up and down with the size of the model.
    private static func unevenProfile(seed: UInt64) -> LatencyProfile {
        var generator = SeededGenerator(seed: seed)
        return profile(schemes, modelType: "test", workingSets: [256, 1024, 4096, 16384, 65536]) {
            0.7 + 0.6 * generator.uniform()
        }
    }

    /// A plan keeps its limit of seconds in a model of its own size, whatever sizes do to times; where some
    /// plan does.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6, 7, 8])
    func secondsOfThePlanItself(_ seed: UInt64) throws {
        let table = table(seed: seed)
        let profile = Self.unevenProfile(seed: seed)
        let every = try everyPlan(table, profile)
        let seconds = every.map(\.seconds).sorted()
        var slower = 0
        for part in [0.02, 0.1, 0.3, 0.5, 0.8] {
            var target = PlanTarget()
            target.profile = profile
            target.seconds = seconds[Int(part * Double(seconds.count))]
            let limit = try #require(target.seconds)
            guard let plan = try? additivePlan(table, target: target) else {
                slower += 1
                continue
            }
            let predicted = try #require(plan.predicted?.seconds)
            #expect(predicted <= limit * (1 + 1e-9), "seed \(seed), \(part)")
            let schemes = try plan.schemes(of: table.layout)
            #expect(every.first { $0.schemes == schemes }?.seconds == predicted)
        }
        #expect(slower <= 1, "seed \(seed)")
    }

    private struct Candidate {
        let schemes: [Scheme]
        let loss: Double
        let bytes: Int
        let seconds: Double
        let joules: Double
    }

    /// All 4^5 plans with what they lose and cost.
    private func everyPlan(_ table: SensitivityTable, _ profile: LatencyProfile) throws -> [Candidate] {
        let model = try LatencyModel(profile, layout: table.layout, modelType: "test")
        let layout = table.layout
        return try (0..<1024).map { number in
            let schemes = layout.sublayers.indices.map { Self.schemes[number >> (2 * $0) & 3] }
            return Candidate(
                schemes: schemes,
                loss: zip(layout.sublayers, schemes).reduce(0.0) {
                    $0 + (table.cell($1.0.name, $1.1)?.measurement.klNats ?? .nan)
                },
                bytes: layout.sizeInBytes(schemes),
                seconds: try model.predict(schemes, Self.workload).seconds,
                joules: try #require(layout.energy(schemes, Self.workload, .nm45)).joules)
        }
    }

    /// What a step adds to the time is the difference of two predictions; the price at the margin is where
    /// the dual function is greatest.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
    func pricesOfAMillisecond(_ seed: UInt64) throws {
        let table = table(seed: seed)
        let profile = Self.profile(Self.schemes, modelType: "test")
        let model = try LatencyModel(profile, layout: table.layout, modelType: "test")
        let schemes = table.layout.sublayers.indices.map { Self.schemes[($0 + Int(seed)) % 4] }
        let plan = Plan.naming(
            schemes, of: table.layout, model: table.model, origin: .named("x"), fit: .greedy)
        let prices = try PlanPrices(of: plan, in: table, profile: profile)
        let base = try model.predict(schemes, Self.workload).seconds
        func added(_ index: Int, _ scheme: Scheme) throws -> Double {
            var other = schemes
            other[index] = scheme
            return try model.predict(other, Self.workload).seconds - base
        }
        for (index, entry) in prices.sublayers.enumerated() {
            for (step, seconds) in [
                (entry.cheaper, entry.cheaperSeconds), (entry.dearer, entry.dearerSeconds),
            ] {
                #expect((step == nil) == (seconds == nil))
                guard let step, let seconds else { continue }
                #expect(abs(try added(index, step.scheme) - seconds) < 1e-9 * base, "seed \(seed)")
            }
        }
        let price = 1e3 * (try #require(prices.klPerMillisecond))
        func dual(_ price: Double) throws -> Double {
            try table.layout.sublayers.indices.reduce(0) { sum, index in
                let name = table.layout.sublayers[index].name
                let values = try Self.schemes.map { scheme in
                    try #require(table.cell(name, scheme)).measurement.klNats + price * added(index, scheme)
                }
                return sum + (values.min() ?? 0)
            }
        }
        let best = try dual(price)
        for factor in [0, 0.5, 0.9, 0.99, 1.01, 1.1, 2] {
            #expect(try dual(factor * price) <= best + 1e-12, "seed \(seed), \(factor) of the price")
        }
        #expect(try PlanPrices(of: plan, in: table).klPerMillisecond == nil)
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
    func equalsBruteForce(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: 100 + seed)
        let table = table(seed: seed)
        let profile = Self.profile(Self.schemes, modelType: "test")
        let plans = try everyPlan(table, profile)
        func between(_ values: [Double]) -> Double {
            let (low, high) = (values.min() ?? 0, values.max() ?? 0)
            return low + (high - low) * (0.1 + 0.6 * generator.uniform())
        }
        for round in 0..<12 {
            var target = PlanTarget(size: .bytes(Int(between(plans.map { Double($0.bytes) }))))
            target.profile = profile
            target.process = .nm45
            if round % 2 == 0 { target.seconds = between(plans.map(\.seconds)) }
            if round % 3 == 0 { target.joules = between(plans.map(\.joules)) }
            if round % 4 == 1 { target.restrictions = ["Dec_b.1=bcq2", "Enc_a=bcq2,bcq3"] }
            if round % 4 == 2 { target.tie = .types }
            if round % 4 == 3 { target.minimumBits = 2 }
            let maximumLoss = between(plans.map(\.loss))
            if round % 5 == 4 { target.goal = .least(.seconds, maximumLoss: maximumLoss) }
            let fitting = plans.filter { plan in
                let s = plan.schemes
                return plan.bytes <= target.size.map { $0.bytes(of: table.layout) } ?? .max
                    && plan.seconds <= target.seconds ?? .infinity
                    && plan.joules <= target.joules ?? .infinity
                    && (round % 4 != 1
                        || (s[4] == .bcq(2) && [s[1], s[2]].allSatisfy { $0 == .bcq(2) || $0 == .bcq(3) }))
                    && (round % 4 != 2 || (s[1] == s[2] && s[3] == s[4]))
                    && (round % 4 != 3 || !s.contains(.bcq(1)))
                    && (round % 5 != 4 || plan.loss <= maximumLoss)
            }
            let label = "seed \(seed), round \(round)"
            guard let best = fitting.map(\.loss).min(), let least = fitting.map(\.seconds).min() else {
                #expect(throws: AllocationError.self, "\(label)") {
                    try additivePlan(table, target: target)
                }
                continue
            }
            let plan = try additivePlan(table, target: target)
            let schemes = try plan.schemes(of: table.layout)
            let written = try #require(fitting.first { $0.schemes == schemes }, "\(label): not admitted")
            if round % 5 == 4 {
                #expect(abs(written.seconds - least) <= 1e-12 * least, "\(label)")
                #expect(plan.certificate?.minimized == .seconds)
                #expect(plan.certificate?.limits?.loss == maximumLoss)
            } else {
                #expect(abs(written.loss - best) < 1e-12, "\(label)")
                #expect(plan.certificate?.minimized == nil)
            }
            #expect(plan.certificate?.gap == 0 && plan.certificate?.status == .optimal)
            let predicted = try #require(plan.predicted)
            #expect(abs(try #require(predicted.seconds) / written.seconds - 1) < 1e-9, "\(label)")
            #expect((predicted.joules != nil) == (target.joules != nil))
        }
    }

    @Test func theBudgetAtFaultIsNamed() throws {
        let table = table(seed: 3)
        let profile = Self.profile(Self.schemes, modelType: "test")
        let plans = try everyPlan(table, profile)
        let least = try #require(plans.map(\.seconds).min())
        var target = PlanTarget()
        target.profile = profile
        target.seconds = least / 2
        let error = #expect(throws: AllocationError.self) { try additivePlan(table, target: target) }
        guard case .infeasible(let reason) = error else {
            Issue.record("expected an infeasible budget, got \(String(describing: error))")
            return
        }
        #expect(reason.budget == "seconds" && abs(reason.smallestAchievable / least - 1) < 1e-9)
        #expect(abs(reason.overrun / (least / 2) - 1) < 1e-9)
        // Six digits are printed, and no fewer than it takes.
        let words = "\(reason)".split(separator: " ")
        let place = try #require(words.firstIndex(of: "achievable"))
        let shown = try #require(Double(words[place + 2].dropLast()), "\(reason)")
        #expect(shown >= least && shown <= least * 1.00001)
        target.seconds = shown
        _ = try additivePlan(table, target: target)
        // Both can be met, but not together.
        let smallest = try #require(plans.min { $0.bytes < $1.bytes })
        let fastest = try #require(plans.filter { $0.bytes <= smallest.bytes }.map(\.seconds).min())
        guard fastest > least * 1.001 else { return }
        target.size = .bytes(smallest.bytes)
        target.seconds = (least + fastest) / 2
        let both = #expect(throws: AllocationError.self) { try additivePlan(table, target: target) }
        #expect(both?.description.contains("within the limits of bytes") == true)
    }

    @Test func whatCannotBeMeantIsRefused() throws {
        let table = table(seed: 4)
        #expect(throws: PlanningError.noBudget) { try additivePlan(table, target: PlanTarget()) }
        var target = PlanTarget(size: .compression(2))
        target.seconds = 1
        #expect(throws: PlanningError.noProfile) { try additivePlan(table, target: target) }
        target.profile = Self.profile([.bcq(1)], modelType: "test")
        #expect(throws: LatencyError.noKernel(.bcq(2))) { try additivePlan(table, target: target) }
        target = PlanTarget(size: .compression(2))
        for wrong in ["Dec_x=bcq1", "Dec_b=bcq4", "Dec_b", "=bcq1"] {
            target.restrictions = [wrong]
            #expect(throws: AllocationError.self, "\(wrong)") { try additivePlan(table, target: target) }
        }
        target.restrictions = ["Dec_b.0=bcq1", "Dec_b.1=bcq2"]
        target.tie = .types
        #expect(throws: AllocationError.tieWithoutCommonOption(items: ["Dec_b.0", "Dec_b.1"])) {
            try additivePlan(table, target: target)
        }
    }

    @Test func uniformPlansBendToConstraints() throws {
        let table = table(seed: 5)
        var target = PlanTarget(size: .compression(1))
        target.restrictions = ["Dec_b.1=bcq3", "Emb=bcq1,bcq2"]
        let space = try PlanSpace(target, table)
        let near = space.nearest(to: .bcq(1))
        #expect(near == [.bcq(1), .bcq(1), .bcq(1), .bcq(1), .bcq(3)])
        #expect(space.nearest(to: .full(.fp16))[0] == .bcq(2))
        #expect(space.admits(near) && !space.admits([Scheme](repeating: .bcq(1), count: 5)))
        // A scheme that is no candidate is welcome where nothing was said.
        #expect(space.admits([.bcq(2), .bcq(4), .bcq(1), .bcq(1), .bcq(3)]))
        #expect(!space.admits([.bcq(4), .bcq(1), .bcq(1), .bcq(1), .bcq(3)]))
    }
}
