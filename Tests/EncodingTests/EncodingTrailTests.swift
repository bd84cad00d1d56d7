import BitplanEncoding
import BitplanModels
import BitplanTensors
import PlanFormat
import Testing

/// Plans that begin alike share the beginning of their encoding.
@Suite struct EncodingTrailTests {
    private func encoder(_ bench: Bench) throws -> PlanEncoder<MarianFamily> {
        let text = Array(bench.examples[..<24])
        let calibration = try Calibration(bench.network, text, fit: .calibrated)
        return PlanEncoder(
            Encodings(bench.model, fit: .calibrated) { calibration.context($0) }, bench.network, text: text,
            calibration: calibration, threads: 2)
    }

    /// What was encoded before a plan changes no byte of it: a change at the front, in the middle, at the
    /// end, of the vectors, and the first plan again.
    @Test func codesDoNotDependOnThePlansBefore() throws {
        let bench = try Bench.shared.get()
        let layout = bench.model.layout
        let start = layout.uniform(.bcq(2))
        func changed(_ index: Int, _ scheme: Scheme) -> [Scheme] {
            var schemes = start
            schemes[index] = scheme
            return schemes
        }
        let last = layout.sublayers.count - 1
        let plans = [
            start, changed(last - 1, .bcq(1)), changed(9, .bcq(3)), changed(0, .bcq(3)),
            changed(last, .fp32), start,
        ]
        let shared = try encoder(bench)
        for (place, plan) in plans.enumerated() {
            let schemes = layout.tensorSchemes(plan)
            let ours = try shared.encode(schemes)
            #expect(try encoder(bench).encode(schemes) == ours, "plan \(place)")
            #expect(ours.count == layout.sublayers.flatMap(\.matrices).count)
        }
    }
}
