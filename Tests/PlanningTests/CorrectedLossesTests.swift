import BitplanPlanning
import BitplanTensors
import Foundation
import PlanFormat
import Testing

/// What whole plans tell of the cells of a table.
@Suite struct CorrectedLossesTests {
    /// Losses that add up are found from few plans, in whatever unit the table's cells are.
    @Test(arguments: [UInt64(1), 2, 3])
    func cellsAreCorrectedByPlans(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let unit = exp(8 * generator.uniform() - 4)
        let table = AdditivePlanTests().table(seed: seed, sublayers: 12)
        let truth = table.layout.sublayers.map { sublayer in
            let own = Dictionary(
                uniqueKeysWithValues: table.candidates.map { scheme in
                    let cell = table.cell(sublayer.name, scheme)?.measurement.klNats ?? 0
                    return (scheme, unit * cell * (0.8 + 0.4 * generator.uniform()))
                })
            return own
        }
        func loss(_ schemes: [Scheme]) -> Double { zip(truth, schemes).reduce(0) { $0 + ($1.0[$1.1] ?? 0) } }
        func plan() -> [Scheme] { truth.map { _ in table.candidates[generator.index(below: 2)] } }
        var losses = CorrectedLosses(table)
        let unseen = (0..<20).map { _ in plan() }
        func error() throws -> Double {
            try unseen.map { abs(try #require(losses.loss($0)) / loss($0) - 1) }.reduce(0, +) / 20
        }
        var known: [[Scheme]] = [plan()]
        losses.learn(known[0], klNats: loss(known[0]))
        #expect(abs(try #require(losses.loss(known[0])) / loss(known[0]) - 1) < 0.01, "seed \(seed)")
        let before = try error()
        for _ in 0..<40 {
            known.append(plan())
            losses.learn(known[known.count - 1], klNats: loss(known[known.count - 1]))
        }
        let best = try #require(known.min { loss($0) < loss($1) })
        #expect(abs(try #require(losses.loss(best)) / loss(best) - 1) < 0.03, "seed \(seed)")
        let after = try error()
        #expect(after < before, "seed \(seed): \(before), \(after)")
        #expect(losses.loss(truth.map { _ in .bcq(8) }) == nil)
    }
}
