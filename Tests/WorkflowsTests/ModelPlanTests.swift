import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanPlanning
import BitplanSensitivity
import BitplanWorkflows
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Plans of the fixture: never worse than uniform ones, and what they say of themselves is so.
@Suite struct ModelPlanTests {
    private static let candidates: [Scheme] = [.bcq(1), .bcq(2), .bcq(3), .bcq(4)]

    /// A bench on few sentences with its table.
    private struct Prepared: Sendable {
        let bench: MeasuredModel<MarianFamily>
        let table: SensitivityTable

        init(fit: CodeFit, sentences: Int, store: MeasurementStore? = nil) throws {
            bench = try MeasuredModel<MarianFamily>(
                PackedModelTests.model,
                source: DataSource(files: PackedModelTests.planning, limit: sentences),
                options: MeasuringOptions(fit: fit, store: store))
            table = try bench.sweep(SweepOptions(candidates: candidates))
        }
    }

    private static let greedy = Result { try Prepared(fit: .greedy, sentences: 8) }

    /// Encodes and measures the plan and every uniform one that fits, beside what the planner says.
    private func check(_ result: PlanningResult, _ prepared: Prepared, budget: Int) throws {
        let layout = prepared.bench.layout
        let schemes = try result.plan.schemes(of: layout)
        #expect(layout.sizeInBytes(schemes) == result.plan.predicted?.bytes)
        #expect(layout.sizeInBytes(schemes) <= budget)
        let ours = try prepared.bench.measurer.packedMeasurements(of: [schemes])[0]
        var uniforms: [PlanMeasurement] = []
        for scheme in Self.candidates {
            let uniform = layout.sublayers.map { _ in scheme }
            guard layout.sizeInBytes(uniform) <= budget else { continue }
            uniforms += try prepared.bench.measurer.packedMeasurements(of: [uniform])
            #expect(
                ours.mean.klNats <= uniforms[uniforms.count - 1].mean.klNats,
                "KL of uniform \(scheme) at \(budget) bytes")
        }
        // A uniform plan of more KL may have more BLEU by chance: the best one counts.
        let best = try #require(uniforms.min { $0.mean.klNats < $1.mean.klNats })
        let against = try ours.compared(with: best, named: "uniform")
        let difference = try #require(against.metric)
        // Few sentences do not tell how noisy BLEU is.
        if against.items >= PairedComparison.fewestItems {
            #expect(!difference.isBelowNoise, "BLEU at \(budget) bytes: \(difference)")
        }
        let measured = try #require(result.plan.measured)
        let written = try #require(measured.first { $0.origin == result.plan.origin })
        #expect(written.klNats == ours.mean.klNats && written.metric == ours.mean.metric)
        #expect(written.against?.metric == nil || written.against?.metric == difference)
        #expect(measured.map(\.klNats) == measured.map(\.klNats).sorted(), "best first")
        for round in result.rounds where round.isAccepted { #expect(round.moves >= 1) }
    }

    @Test(arguments: [15.0, 11.9, 10, 8.2, 6.5])
    func neverWorseThanUniform(compression: Double) throws {
        let prepared = try Self.greedy.get()
        let budget = Int(Double(prepared.bench.layout.fullPrecisionBytes) / compression)
        let result = try prepared.bench.plan(
            prepared.table, target: PlanTarget(size: .bytes(budget)), effort: 150)
        try check(result, prepared, budget: budget)
        let steps = try #require(result.plan.steps)
        #expect(Set(steps.map(\.sublayer)).count == prepared.bench.layout.sublayers.count)
    }

    /// With enough sentences to judge BLEU by, a plan of less loss is written unless BLEU is worse beyond its
    /// noise; the file says how it compares, and the store answers for both the next time.
    @Test func judgedOnEnoughSentences() throws {
        let file = FileManager.default.temporaryDirectory.appending(
            path: "bitplan-\(UUID().uuidString).sqlite")
        defer {
            for more in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file.path + more) }
        }
        let store = try MeasurementStore(file)
        let prepared = try Prepared(fit: .greedy, sentences: 40, store: store)
        let budget = prepared.bench.layout.fullPrecisionBytes / 10
        let result = try prepared.bench.plan(
            prepared.table, target: PlanTarget(size: .bytes(budget)), effort: 30)
        try check(result, prepared, budget: budget)
        let measured = try #require(result.plan.measured)
        for plan in measured.prefix(while: { $0.origin != result.plan.origin }) {
            let metric = try #require(plan.against?.metric)
            #expect(plan.setAside == .metric && metric.isBelowNoise)
        }
        for plan in measured {
            #expect(plan.klInterval != nil && plan.metricInterval != nil)
            #expect(plan.against.map { $0.items == 40 } ?? true)
        }
        let made = store.usage.made
        let again = try prepared.bench.plan(
            prepared.table, target: PlanTarget(size: .bytes(budget)), effort: 30)
        #expect(again.plan == result.plan && store.usage.made == made, "from the store, to the last bit")
    }

    /// Calibrated codes are fitted behind each other, and plans of them are searched as they are packed.
    @Test func packedPlansAreSearchedAsTheyArePacked() throws {
        let file = FileManager.default.temporaryDirectory.appending(
            path: "bitplan-\(UUID().uuidString).sqlite")
        defer {
            for more in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file.path + more) }
        }
        let prepared = try Prepared(fit: .calibrated, sentences: 12, store: try MeasurementStore(file))
        let budget = prepared.bench.layout.fullPrecisionBytes / 10
        let result = try prepared.bench.plan(
            prepared.table, target: PlanTarget(size: .bytes(budget)), effort: 5)
        try check(result, prepared, budget: budget)
        #expect(result.plan.steps == nil, "too little effort for them")
        #expect(1...5 ~= result.rounds.count && result.measurements >= result.rounds.count)
        for round in result.rounds {
            #expect(abs(round.predictedKL / round.measuredKL - 1) < 0.25, "\(round)")
        }
        let again = try prepared.bench.plan(
            prepared.table, target: PlanTarget(size: .bytes(budget)), effort: 5)
        #expect(again.plan == result.plan, "from the store")
    }
}
