import BitplanAllocation
import BitplanPlanning
import BitplanTensors
import Foundation
import PlanFormat
import Testing

/// The plan of least summed loss against all plans that there are.
@Suite struct AdditivePlanTests {
    private static let schemes: [Scheme] = [.bcq(1), .bcq(2), .bcq(3), .fp32]

    /// A table of random losses, falling with the bits on the whole.
    func table(seed: UInt64, sublayers count: Int = 5) -> SensitivityTable {
        var generator = SeededGenerator(seed: seed)
        let sublayers = (0..<count).map { index -> SublayerShape in
            SublayerShape(
                name: SublayerName("Layer", depth: index),
                matrices: [
                    MatrixShape(
                        tensor: "w" + String(index), rows: 3 + generator.index(below: 40),
                        columns: 5 + generator.index(below: 40))
                ])
        }
        let layout = ModelLayout(sublayers: sublayers, fixedParameters: 17)
        let cells = sublayers.flatMap { sublayer in
            Self.schemes.enumerated().map { place, scheme in
                SensitivityCell(
                    row: sublayer.name.description, scheme: scheme, bytes: sublayer.sizeInBytes(scheme),
                    measurement: LossMeasurement(
                        klNats: place == 3 ? 0 : (generator.uniform() - 0.05) / Double(1 + 2 * place),
                        standardError: nil,
                        crossEntropyNats: 1, sentences: 1))
            }
        }
        return SensitivityTable(
            model: ModelIdentity(type: "test", sha256: String(repeating: "0", count: 64)), layout: layout,
            provenance: Provenance(tool: "test", dataSHA256: "", sentences: 1, metric: "x"), fit: .greedy,
            candidates: Self.schemes,
            fullPrecision: LossMeasurement(klNats: 0, standardError: nil, crossEntropyNats: 1, sentences: 1),
            byType: [],
            bySublayer: cells)
    }

    /// Bytes and summed loss of all 4^5 plans.
    private func everyPlan(_ table: SensitivityTable) -> [(bytes: Int, loss: Double)] {
        var plans = [(bytes: table.layout.fixedBytes, loss: 0.0)]
        for sublayer in table.layout.sublayers {
            plans = plans.flatMap { plan in
                Self.schemes.compactMap { table.cell(sublayer.name, $0) }.map {
                    (plan.bytes + $0.bytes, plan.loss + $0.measurement.klNats)
                }
            }
        }
        return plans
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func equalsBruteForce(_ seed: UInt64) throws {
        let table = table(seed: seed)
        let plans = everyPlan(table)
        let smallest = try #require(plans.map(\.bytes).min())
        let largest = try #require(plans.map(\.bytes).max())
        for step in 0...20 {
            let budget = smallest + (largest - smallest) * step / 20
            let plan = try additivePlan(table, target: PlanTarget(size: .bytes(budget)))
            let best = try #require(plans.filter { $0.bytes <= budget }.map(\.loss).min())
            let predicted = try #require(plan.predicted)
            #expect(abs(try #require(predicted.klNats) - best) < 1e-12, "seed \(seed), \(budget) bytes")
            #expect(predicted.bytes <= budget)
            #expect(predicted.bytes == table.layout.sizeInBytes(try plan.schemes(of: table.layout)))
            let certificate = try #require(plan.certificate)
            #expect(
                certificate.status == .optimal && certificate.gap == 0 && certificate.budgetBytes == budget)
            #expect(abs(certificate.lowerBound - best) < 1e-12)
        }
        let error = #expect(throws: AllocationError.self) {
            try additivePlan(table, target: PlanTarget(size: .bytes(smallest - 1)))
        }
        #expect(
            error?.description.contains("smallest achievable is \(smallest)") == true,
            "\(String(describing: error))")
    }

    @Test func targetsCountWhatStaysFP32() throws {
        let table = table(seed: 9)
        let half = try additivePlan(table, target: PlanTarget(size: .compression(2)))
        #expect(try #require(half.predicted).bytes <= table.layout.fullPrecisionBytes / 2)
        #expect(half.predicted?.fixedBytes == 4 * 17)
        let all = try additivePlan(table, target: PlanTarget(size: .compression(1)))
        #expect(try #require(all.predicted?.klNats) <= 0, "everything fits")
        #expect(
            try JSONFile.data(half)
                == JSONFile.data(additivePlan(table, target: PlanTarget(size: .compression(2)))))
    }
}
