import BitplanAllocation
import BitplanPlanning
import BitplanTensors
import Foundation
import PlanFormat
import Testing

/// The frontier and the prices of a table, against all plans that there are.
@Suite struct FrontierTableTests {
    private static let schemes: [Scheme] = [.bcq(1), .bcq(2), .bcq(3), .fp32]

    /// Random losses with errors, falling with the bits, over an encoder-decoder's sublayers.
    private func table(seed: UInt64) -> SensitivityTable {
        var generator = SeededGenerator(seed: seed)
        let names = ["Emb", "Enc_ee.0", "Enc_ffn.0", "Dec_dd.0", "Dec_ed.0"].compactMap { SublayerName($0) }
        let sublayers = names.map { name in
            SublayerShape(
                name: name,
                matrices: [
                    MatrixShape(
                        tensor: "\(name)", rows: 3 + generator.index(below: 40),
                        columns: 5 + generator.index(below: 40))
                ])
        }
        let cells = sublayers.flatMap { sublayer in
            Self.schemes.enumerated().map { place, scheme in
                let kl = place == 3 ? 0 : generator.uniform() / Double(1 + 3 * place)
                return SensitivityCell(
                    row: sublayer.name.description, scheme: scheme, bytes: sublayer.sizeInBytes(scheme),
                    measurement: LossMeasurement(
                        klNats: kl, standardError: 0.03 * kl, crossEntropyNats: 1, sentences: 100))
            }
        }
        return SensitivityTable(
            model: ModelIdentity(type: "marian", sha256: String(repeating: "0", count: 64)),
            layout: ModelLayout(sublayers: sublayers, fixedParameters: 17),
            provenance: Provenance(tool: "test", dataSHA256: "", sentences: 1, metric: "x"), fit: .greedy,
            candidates: Self.schemes,
            fullPrecision: LossMeasurement(
                klNats: 0, standardError: nil, crossEntropyNats: 1, sentences: 100),
            byType: [], bySublayer: cells)
    }

    /// All 4^5 plans.
    private func everyPlan(_ table: SensitivityTable) -> [[Scheme]] {
        table.layout.sublayers.reduce([[]]) { plans, _ in
            plans.flatMap { plan in Self.schemes.map { plan + [$0] } }
        }
    }

    private func loss(_ table: SensitivityTable, _ schemes: [Scheme]) throws -> Double {
        try zip(table.layout.sublayers, schemes).reduce(0) {
            $0 + (try #require(table.cell($1.0.name, $1.1))).measurement.klNats
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
    func equalsBruteForce(_ seed: UInt64) throws {
        let table = table(seed: seed)
        let plans = try everyPlan(table).map {
            (bytes: table.layout.sizeInBytes($0), loss: try loss(table, $0))
        }
        func least(_ bytes: Int) -> Double {
            plans.filter { $0.bytes <= bytes }.map(\.loss).min() ?? .infinity
        }
        let size = (table.layout.fullPrecisionBytes + (plans.map(\.bytes).min() ?? 0)) / 2
        let frontier = try FrontierTable(table, sizes: [.bytes(size)])
        #expect(frontier.extent == .complete, "seed \(seed)")
        var front: [(bytes: Int, loss: Double)] = []
        for plan in plans.sorted(by: { $0 < $1 })
        where front.last.map({ plan.loss < $0.loss - 1e-12 }) ?? true {
            front.append(plan)
        }
        #expect(frontier.points.count == front.count, "seed \(seed)")
        for (point, expected) in zip(frontier.points, front) {
            #expect(point.bytes == expected.bytes && abs(point.klNats - expected.loss) < 1e-9, "seed \(seed)")
            guard let sublayers = point.sublayers else { continue }
            let schemes = try table.layout.sublayers.map { try #require(sublayers[$0.name.description]) }
            #expect(table.layout.sizeInBytes(schemes) == point.bytes, "seed \(seed)")
            #expect(abs(try loss(table, schemes) - point.klNats) < 1e-9, "seed \(seed)")
        }
        // Chung's preset has a scheme that the table does not.
        let names = frontier.plans.map(\.origin.description)
        #expect(names == Self.schemes.map { "uniform \($0)" } + ["preset chung", "optimum at \(size)"])
        for plan in frontier.plans {
            #expect(
                abs(try #require(plan.leastKL) - least(plan.bytes)) < 1e-9, "seed \(seed): \(plan.origin)")
            #expect((plan.predictedKL == nil) == (plan.origin == .preset(.chung(ratio: 1))))
            #expect((plan.predictedKL ?? .infinity) >= least(plan.bytes) - 1e-12)
        }
        let optimum = try #require(frontier.plans.last)
        let predicted = try #require(optimum.predictedKL)
        #expect(optimum.bytes <= size && abs(predicted - least(size)) < 1e-9)
        #expect(frontier.points.contains { $0.bytes == optimum.bytes && $0.sublayers != nil })
    }

    /// With too little effort for all points: vertices of the hull, and exact optima where they are asked
    /// for.
    @Test func sampledWhereThereAreTooMany() throws {
        let table = table(seed: 9)
        let complete = try FrontierTable(table)
        let size = complete.points[complete.points.count / 2].bytes
        let sampled = try FrontierTable(table, sizes: [.bytes(size)], effort: 20)
        #expect(sampled.extent == .sampled && sampled.points.count < complete.points.count)
        for point in sampled.points {
            #expect(
                complete.points.contains { $0.bytes == point.bytes && abs($0.klNats - point.klNats) < 1e-9 })
        }
        #expect(sampled.points.contains { $0.bytes == size })
    }

    /// As many points as are asked for list their schemes, evenly over the frontier, and these are theirs.
    @Test func schemesAreListedEvenly() throws {
        let table = table(seed: 4)
        let few = try FrontierTable(table).points
        for count in [1, 7, few.count, few.count + 5] {
            let points = try FrontierTable(table, listing: count).points
            #expect(points.map(\.bytes) == few.map(\.bytes))
            let listed = points.indices.filter { points[$0].sublayers != nil }
            #expect(listed.count >= min(count, points.count))
            let gaps = zip(listed, listed.dropFirst()).map { $1 - $0 }
            #expect(gaps.allSatisfy { $0 <= points.count / min(count, points.count) + 1 }, "\(gaps)")
            for index in listed {
                let sublayers = try #require(points[index].sublayers)
                let schemes = try table.layout.sublayers.map { try #require(sublayers[$0.name.description]) }
                #expect(table.layout.sizeInBytes(schemes) == points[index].bytes)
                #expect(abs(try loss(table, schemes) - points[index].klNats) < 1e-9)
            }
        }
    }

    /// Every step and exchange is what changing the plan so gives.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
    func pricesAreDifferencesOfPlans(_ seed: UInt64) throws {
        let table = table(seed: seed)
        var generator = SeededGenerator(seed: seed)
        let schemes = table.layout.sublayers.map { _ in Self.schemes[generator.index(below: 4)] }
        var plan = Plan.naming(
            schemes, of: table.layout, model: table.model, origin: .named("x"), fit: .greedy)
        let (bytes, base) = (table.layout.sizeInBytes(schemes), try loss(table, schemes))
        let room = 40
        plan.certificate = .init(
            status: .optimal, budgetBytes: bytes + room, objective: base, lowerBound: base, gap: 0)
        let prices = try PlanPrices(of: plan, in: table, listed: 100)
        #expect(prices.basis == .table && prices.exchanges.count == prices.exchangeCount)
        func changed(_ steps: [SublayerStep]) throws -> (bytes: Int, loss: Double) {
            var schemes = schemes
            for step in steps {
                let index = try #require(table.layout.sublayers.firstIndex { $0.name == step.sublayer })
                schemes[index] = step.scheme
            }
            return (table.layout.sizeInBytes(schemes) - bytes, try loss(table, schemes) - base)
        }
        for (index, entry) in prices.sublayers.enumerated() {
            let sublayer = table.layout.sublayers[index]
            #expect(entry.sublayer == sublayer.name && entry.scheme == schemes[index])
            let sizes = Self.schemes.map { sublayer.sizeInBytes($0) }
            let own = sublayer.sizeInBytes(schemes[index])
            #expect((entry.cheaper == nil) == (own == sizes.min()), "seed \(seed)")
            for step in [entry.cheaper, entry.dearer].compactMap({ $0 }) {
                let expected = try changed([step])
                #expect(step.bytesChange == expected.bytes && abs(step.klChange - expected.loss) < 1e-12)
                let between = sizes.filter {
                    $0 > min(own, own + step.bytesChange) && $0 < max(own, own + step.bytesChange)
                }
                #expect(step.bytesChange < 0 ? between.isEmpty : true, "the next cheaper scheme")
            }
        }
        var count = 0
        for up in prices.sublayers.compactMap(\.dearer) {
            for down in prices.sublayers.compactMap(\.cheaper) where up.sublayer != down.sublayer {
                let (bytes, loss) = try changed([up, down])
                let error = try #require(up.standardError) + (try #require(down.standardError))
                guard bytes <= room, abs(loss) <= 1.959964 * error else { continue }
                count += 1
                #expect(prices.exchanges.contains { $0.up == up && $0.down == down }, "seed \(seed)")
            }
        }
        #expect(count == prices.exchangeCount, "seed \(seed)")
        let changes = prices.exchanges.map(\.klChange)
        #expect(changes == changes.sorted(), "the best first")
    }

    /// At an optimum no step is worth more than the margin, none that was taken less, save for what does not
    /// divide.
    @Test func marginLiesBetweenTheSteps() throws {
        for seed in UInt64(1)...6 {
            let table = table(seed: seed)
            let frontier = try FrontierTable(table)
            // Vertices of the hull are optima of the relaxation too: there the margin is exact.
            for point in frontier.points.dropFirst().dropLast() where point.sublayers != nil {
                let plan = Plan(model: table.model, sublayers: try #require(point.sublayers))
                let prices = try PlanPrices(of: plan, in: table)
                let slack = 1e-9 * (1 + prices.klPerMegabyte)
                guard try isVertex(table, point) else { continue }
                for entry in prices.sublayers {
                    if let up = entry.dearer {
                        #expect(up.klPerMegabyte <= prices.klPerMegabyte + slack, "seed \(seed)")
                    }
                    if let down = entry.cheaper {
                        #expect(down.klPerMegabyte >= prices.klPerMegabyte - slack, "seed \(seed)")
                    }
                }
            }
        }
    }

    /// Whether some price makes the point the only best of all plans.
    private func isVertex(_ table: SensitivityTable, _ point: FrontierTable.Point) throws -> Bool {
        let points = try FrontierTable(table).points
        let left =
            points.filter { $0.bytes < point.bytes }
            .map { ($0.klNats - point.klNats) / Double(point.bytes - $0.bytes) }.min() ?? .infinity
        let right =
            points.filter { $0.bytes > point.bytes }
            .map { (point.klNats - $0.klNats) / Double($0.bytes - point.bytes) }.max() ?? 0
        return right < left * (1 - 1e-9)
    }

    /// Steps that were measured around the plan go before the table's, and have to fit the model.
    @Test func measuredStepsGoFirst() throws {
        let table = table(seed: 3)
        var plan = Plan(model: table.model, sublayers: ["*": .bcq(2)])
        let sublayer = table.layout.sublayers[1]
        func step(_ name: SublayerName, _ bytes: Int) -> SublayerStep {
            SublayerStep(
                sublayer: name, scheme: .bcq(3), bytesChange: bytes, klChange: -0.5, standardError: 0.01)
        }
        let bytes = sublayer.sizeInBytes(.bcq(3)) - sublayer.sizeInBytes(.bcq(2))
        plan.steps = [step(sublayer.name, bytes)]
        let prices = try PlanPrices(of: plan, in: table)
        #expect(prices.basis == .context && prices.sublayers[1].dearer == plan.steps?[0])
        #expect(prices.sublayers.compactMap(\.cheaper).isEmpty)
        plan.steps = [step(sublayer.name, .max)]
        let wrong = plan
        #expect(throws: PlanError.wrongStep(sublayer.name, .bcq(3), expected: bytes, got: .max)) {
            try PlanPrices(of: wrong, in: table)
        }
        plan.steps = [step(SublayerName("Enc_ee", depth: 7), bytes)]
        let unknown = plan
        #expect(throws: PlanError.unknownSublayer("Enc_ee.7")) { try PlanPrices(of: unknown, in: table) }
    }

    /// A plan of schemes that the table lacks has no prices for them, and is no error.
    @Test func presetsHaveNoSteps() throws {
        let table = table(seed: 4)
        let chung = try #require(table.layout.chung())
        let plan = Plan.naming(
            chung, of: table.layout, model: table.model, origin: .preset(.chung(ratio: 1)), fit: .greedy)
        let frontier = try FrontierTable(table, plan: plan)
        let entry = try #require(frontier.prices?.sublayers.first)
        #expect(entry.scheme == chung[0] && entry.cheaper == nil && entry.dearer == nil)
        #expect(frontier.plans.filter { $0.origin == .preset(.chung(ratio: 1)) }.map(\.kind) == [.chosen])
        let other = Plan(model: ModelIdentity(type: "marian", sha256: "1"), sublayers: ["*": .bcq(2)])
        #expect(throws: PlanError.self) { try FrontierTable(table, plan: other) }
        #expect(throws: PlanningError.self) { try FrontierTable(table, sizes: [.bytes(100)]) }
    }
}
