import BitplanEncoding
import BitplanMetrics
import BitplanModels
import BitplanQuantizers
import BitplanSensitivity
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Every family measures by the same laws, whatever its sublayers are.
@Suite struct FamilyMeasureTests {
    private func check<Family: ModelFamily>(_ type: Family.Type, _ directory: String, data text: String)
        throws
    {
        let (model, network, examples) = try golden(type, directory, data: text)
        let calibration = try Calibration(network, examples, fit: .calibrated)
        let encodings = Encodings(model, fit: .calibrated) { calibration.context($0) }
        let measurer = Measurer(
            encodings: encodings, evaluator: try Evaluator(reference: network, examples: examples))

        // Nothing changed costs exactly nothing.
        let identity = try measurer.evaluator.losses(of: try network.replacing([:]))
        #expect(identity.count == examples.count)
        #expect(identity.allSatisfy { $0.kl.nats == 0 })

        // One sublayer at a time: what lies before it is reused, and nothing changes by that.
        let schemes: [Scheme] = [.bcq(2), .index8, .sign(scaled: true), .bitLinear(groups: 1)]
        for scheme in schemes {
            let assignments = model.layout.sublayers.indices.map { index in
                var assignment = measurer.fullPrecision
                assignment[index] = scheme
                return assignment
            }
            let losses = try measurer.losses(of: assignments, around: measurer.fullPrecision)
            for (index, assignment) in assignments.enumerated() {
                let alone = try measurer.evaluator.losses(of: try measurer.network(assignment))
                #expect(losses[index] == alone, "\(model.layout.sublayers[index].name) \(scheme)")
                // Vectors may be FP16 numbers already.
                #expect(
                    model.layout.sublayers[index].isVectors || alone.reduce(0) { $0 + $1.kl.nats } > 0,
                    "\(model.layout.sublayers[index].name) \(scheme)"
                )
            }
        }
    }

    @Test func bert() throws {
        try check(
            BertFamily.self, "tiny-bert",
            data: "good film\t1\nnot bad, the film\tgood\t2\nabc def\tneutral\n!\tcontradiction\n")
    }

    @Test(arguments: ["tiny-llama", "kin/bitnet", "kin/qwen3", "kin/smollm3"]) func llama(_ name: String)
        throws
    {
        let text = (0..<9).map { "the \($0) thing and another one" }.joined(separator: "\n")
        try check(LlamaFamily.self, name, data: text)
    }

    /// Embeddings of another width, a number, and labels that hold each by itself.
    @Test(arguments: [("electra", "yes"), ("distilbert", "1.5"), ("xlm-roberta", "kind,rude")])
    func bertKin(_ name: String, _ answer: String) throws {
        let texts = ["good film", "not bad, the film\tgood", "abc def", "!"]
        try check(
            BertFamily.self, "kin/\(name)", data: texts.map { "\($0)\t\(answer)\n" }.joined())
    }
}
