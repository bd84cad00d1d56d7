import BitplanEncoding
import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

/// What users' stores hold was measured by the code of `Experiment.currentVersion`; code that measures
/// something else needs another.
@Suite struct MeasurementVersionTests {
    private struct Golden: Codable, Equatable {
        let version: Int
        /// KL in nats by fit, sublayer and scheme.
        let klNats: [String: Double]
    }

    private static let file = TestFiles.root.appending(
        path: "Tests/SensitivityTests/Goldens/measurements.json")

    private func measure() throws -> Golden {
        let bench = try Bench.shared.get()
        let examples = Array(bench.examples[..<24])
        var klNats: [String: Double] = [:]
        for fit in [CodeFit.greedy, .alternating, .calibrated] {
            let calibration = try Calibration(bench.network, examples, fit: fit)
            let measurer = Measurer(
                encodings: Encodings(bench.model, fit: fit) { calibration.context($0) },
                evaluator: try Evaluator(reference: bench.network, examples: Array(examples[..<12])))
            let schemes = ["bcq2", "int4:g64", "nf4", "w8a8", "emb4:r1"].compactMap { Scheme($0) }
            for index in [0, 1, 14, 20] {
                for scheme in schemes where index == 0 || scheme.description != "emb4:r1" {
                    var assignment = measurer.fullPrecision
                    assignment[index] = scheme
                    let losses = try measurer.losses(of: [assignment], around: measurer.fullPrecision)[0]
                    klNats["\(fit.rawValue) \(measurer.layout.sublayers[index].name) \(scheme)"] =
                        LossMeasurement(losses).klNats
                }
            }
        }
        return Golden(version: Experiment.currentVersion, klNats: klNats)
    }

    /// Goldens are made again by BITPLAN_MAKE_GOLDENS=1, which the version has to be raised for.
    @Test func changedMeasurementsNeedAnotherVersion() throws {
        let measured = try measure()
        if ProcessInfo.processInfo.environment["BITPLAN_MAKE_GOLDENS"] == "1" {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try AtomicWrite.file(try encoder.encode(measured) + Data("\n".utf8), to: Self.file)
        }
        let golden = try JSONDecoder().decode(Golden.self, from: try Data(contentsOf: Self.file))
        #expect(golden.version == Experiment.currentVersion, "make the goldens of the new version")
        #expect(Set(golden.klNats.keys) == Set(measured.klNats.keys))
        for (cell, expected) in golden.klNats.sorted(by: { $0.key < $1.key }) {
            let got = measured.klNats[cell] ?? 0
            // Codes may differ in a bit where machines round differently; another method differs by more.
            #expect(
                abs(got - expected) <= 0.02 * expected + 1e-6,
                "\(cell): \(got), was \(expected): raise Experiment.currentVersion, or users' stores hold what is no longer measured"
            )
        }
    }
}
