import BitplanEncoding
import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanSensitivity
import BitplanTensors
import PlanFormat
import Testing

/// Sweeps that measure a cell only as far as its decision needs against sweeps that measure everything.
@Suite struct StoppingTests {
    private static let candidates: [Scheme] = [.bcq(1), .bcq(2), .bcq(3), .bcq(4)]

    /// The scheme of each sublayer that loses least at a price of bytes.
    private func choice(_ cells: [SensitivityCell], price: Double) -> [String: Scheme] {
        Dictionary(grouping: cells, by: \.row).mapValues { cells in
            cells.min {
                $0.measurement.klNats + price * Double($0.bytes)
                    < $1.measurement.klNats + price * Double($1.bytes)
            }?.scheme ?? .fp32
        }
    }

    /// Ranks of numbers, from 0; equal ones do not occur here.
    private func ranks(_ values: [Double]) -> [Double] {
        var ranks = [Double](repeating: 0, count: values.count)
        for (rank, index) in values.indices.sorted(by: { values[$0] < values[$1] }).enumerated() {
            ranks[index] = Double(rank)
        }
        return ranks
    }

    @Test func choicesAndOrderStayWhatTheyAre() throws {
        let bench = try Bench.shared.get()
        let measurer = try bench.measurer(140)
        let whole = try Sweep(measurer, candidates: Self.candidates, groupCandidates: []).run().bySublayer
        let stopped = try Sweep(
            measurer, candidates: Self.candidates, precision: 0.02, groupCandidates: []
        ).run().bySublayer
        #expect(whole.map(\.row) == stopped.map(\.row) && whole.map(\.scheme) == stopped.map(\.scheme))
        #expect(whole.allSatisfy { $0.measurement.sentences == 140 })
        let share =
            Double(stopped.reduce(0) { $0 + $1.measurement.sentences }) / Double(140 * stopped.count)
        #expect(share < 0.9, "most of the items were measured: \(share)")

        let (left, right) = (
            ranks(whole.map(\.measurement.klNats)), ranks(stopped.map(\.measurement.klNats))
        )
        let count = Double(whole.count)
        let squares = zip(left, right).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let spearman = 1 - 6 * squares / (count * (count * count - 1))
        #expect(spearman >= 0.99, "Spearman \(spearman)")

        // What is chosen by the stopped table loses, by the whole one, hardly more than what that chooses
        // itself.
        let truth = Dictionary(uniqueKeysWithValues: whole.map { ("\($0.row) \($0.scheme)", $0) })
        for price in [1e-7, 3e-7, 1e-6, 3e-6, 1e-5] {
            func cost(_ choice: [String: Scheme]) -> (loss: Double, all: Double) {
                choice.reduce(into: (0, 0)) { sum, entry in
                    guard let cell = truth["\(entry.key) \(entry.value)"] else { return }
                    sum.loss += cell.measurement.klNats
                    sum.all += cell.measurement.klNats + price * Double(cell.bytes)
                }
            }
            let best = cost(choice(whole, price: price))
            let chosen = cost(choice(stopped, price: price))
            #expect(chosen.all - best.all <= 0.02 * best.loss, "price \(price): \(chosen), best \(best)")
        }
    }

    /// Keeping activations and stopping change what is computed, not what comes out.
    @Test func naiveSweepsGiveTheSameTable() throws {
        let bench = try Bench.shared.get()
        let measurer = try bench.measurer(8)
        let naive = Measurer(
            encodings: bench.encodings, evaluator: measurer.evaluator, reusesPrefixes: false)
        let cells = try Sweep(measurer, candidates: [.bcq(2)]).run()
        let others = try Sweep(naive, candidates: [.bcq(2)]).run()
        #expect(cells.bySublayer == others.bySublayer && cells.byType == others.byType)
    }

    @Test func groupsAreLeftOutWhereNotWanted() throws {
        let bench = try Bench.shared.get()
        let cells = try Sweep(try bench.measurer(2), candidates: [.bcq(2)], groupCandidates: []).run()
        #expect(cells.byType.isEmpty && cells.bySublayer.count == 21 + 2)
    }
}
