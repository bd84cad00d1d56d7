import BitplanEncoding
import BitplanKernels
import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanQuantizers
import BitplanSensitivity
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Scoring from few rows of the output projection against scoring from all of it.
@Suite struct PredictionSketchTests {
    @Test(
        "sketches, and split weights, give what the whole FP32 product gives", arguments: [1, 2, 4],
        SplitMatrix.isFast ? [false, true] : [false])
    func agreesWithTheWholeProduct(bits: Int, splitsWeights: Bool) throws {
        let model = try Model<MarianFamily>(
            directory: TestFiles.root.appending(path: "Fixtures/tatoeba-en-de"))
        let network = try model.network()
        let files = ["en", "de"].map { TestFiles.root.appending(path: "Fixtures/data/plan.\($0)") }
        let examples = try model.family.task.dataset(files, limit: 60).examples
        let encodings = Encodings(model, fit: .greedy)
        let whole = try Evaluator(reference: network, examples: examples)
        let sketched = try Evaluator(
            reference: network, examples: examples, logitsLimit: 0, splitsWeights: splitsWeights)
        // The embedding, sublayer 0, is the output projection too.
        for index in [0, 1, 8, 9, 19, 20] {
            let sublayer = model.layout.sublayers[index]
            func losses(_ evaluator: Evaluator<EncoderDecoderNetwork>) throws -> LossMeasurement {
                LossMeasurement(
                    try evaluator.losses(
                        of: try evaluator.reference.replacing(
                            try encodings.operators(of: [(sublayer, .bcq(bits))], for: evaluator))))
            }
            let (expected, got) = (try losses(whole), try losses(sketched))
            #expect(
                abs(got.klNats - expected.klNats) <= max(0.01 * expected.klNats, 1e-6),
                "\(sublayer.name) at \(bits) bits: \(got.klNats), expected \(expected.klNats)")
            #expect(abs(got.crossEntropyNats - expected.crossEntropyNats) <= 0.01 * expected.klNats + 1e-4)
        }
        #expect(LossMeasurement(try sketched.losses(of: sketched.reference)).klNats == 0)
    }
}
