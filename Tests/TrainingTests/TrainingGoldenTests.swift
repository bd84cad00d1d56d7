import BitplanKernels
import BitplanModels
import BitplanTensors
import BitplanTraining
import Foundation
import TestSupport
import Testing

/// Losses with their gradients and steps of AdamW against PyTorch's in FP64 (Scripts/goldens/training.py).
@Suite struct TrainingGoldenTests {
    private struct Goldens: Decodable {
        struct Loss: Decodable {
            let nats: Double
            let gradient: [Float]
        }
        struct Adam: Decodable {
            let start: [Float]
            let gradients: [[Float]]
            let weights: [[Float]]
        }
        let student: [Float]
        let teacher: [Float]
        let labels: [Int?]
        let kl: Loss
        let smoothed: Loss
        let shared: Loss
        let ranking: Loss
        let adam: Adam
    }

    private static let directory = TestFiles.root.appending(path: "Tests/TrainingTests/Goldens")
    private static let tiny = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-bert")

    private func data() throws -> Data {
        try Data(contentsOf: Self.directory.appending(path: "training.json"))
    }

    private func expectClose(_ got: [Float], _ expected: [Float], _ name: String) {
        let size = expected.reduce(0) { max($0, abs($1)) }
        let worst = zip(got, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(got.count == expected.count && worst < 1e-5 * size, "\(name): \(worst / size)")
    }

    /// Drops what a loss has to say of weights.
    private final class Nothing: GradientSink {
        func product(_ tensor: String, _ product: ProductGradient) {}
        func lookup(_ tensor: String, rows: [Int], _ gradient: Matrix) {}
        func vector(_ name: String, _ gradient: [Float]) {}
    }

    private func check(
        _ network: EncoderNetwork, _ goldens: Goldens, _ expected: Goldens.Loss, labelShare: Double = 0,
        smoothing: Float? = nil, _ name: String
    ) {
        let outputs = Matrix(rows: 5, columns: 20, storage: goldens.student)
        let (nats, gradient) = TrainingLoss(
            teacher: network, labelShare: labelShare, smoothing: smoothing
        ).backward(
            network, outputs, teacher: Matrix(rows: 5, columns: 20, storage: goldens.teacher),
            labels: goldens.labels, factor: 0.5, keepsOutputs: false, Nothing())
        #expect(abs(nats - expected.nats) < 1e-5 * expected.nats, "\(name)")
        expectClose(gradient.storage, expected.gradient, name)
    }

    @Test func losses() throws {
        let goldens = try JSONDecoder().decode(Goldens.self, from: data())
        let classifier = try Model<BertFamily>(directory: Self.tiny).network()
        check(classifier, goldens, goldens.kl, "kl")
        check(classifier, goldens, goldens.smoothed, smoothing: 0.1, "labels")
        check(classifier, goldens, goldens.shared, labelShare: 0.3, "both")

        // The same weights read as a sentence encoder.
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.copyItem(at: Self.tiny, to: directory)
        let file = directory.appending(path: "config.json")
        var settings = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        settings["architectures"] = ["BertModel"]
        try JSONSerialization.data(withJSONObject: settings).write(to: file)
        check(try Model<BertFamily>(directory: directory).network(), goldens, goldens.ranking, "ranking")
    }

    @Test(arguments: InstructionSet.available)
    func adam(_ instructions: InstructionSet) throws {
        let goldens = try JSONDecoder().decode(Goldens.self, from: data()).adam
        var w = goldens.start
        var (m, v) = (w.map { _ in Float(0) }, w.map { _ in Float(0) })
        for (step, gradient) in goldens.gradients.enumerated() {
            AdamStep(
                step + 1, rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-10, decay: 0.1, factor: 1
            ).apply(gradient, to: &w, m: &m, v: &v, instructions: instructions)
            expectClose(w, goldens.weights[step], "step \(step + 1)")
        }
    }

    /// Adam moves what has small gradients as far as the rest; an epsilon relative to the array's gradients
    /// does not, and moves the rest about half as far.
    @Test func relativeEpsilonHoldsSmallGradientsBack() {
        let gradient: [Float] = [1, -1, 0.001, -0.001]
        func moved(_ share: Float) -> [Float] {
            var w = [Float](repeating: 0, count: 4)
            var (m, v) = (w, w)
            for step in 1...20 {
                let epsilon = AdamStep.relativeEpsilon(
                    share, step, beta2: 0.99, factor: 0.5, gradient: gradient, v: v)
                AdamStep(
                    step, rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: epsilon, decay: 0, factor: 0.5
                ).apply(gradient, to: &w, m: &m, v: &v)
            }
            return w
        }
        let (plain, held) = (moved(0), moved(1))
        for value in plain { #expect(abs(abs(value) - 0.2) < 1e-4) }
        // |g| / (|g| + r) of the plain way, where r is the root mean square of 1 and 0.001.
        let mean: Float = ((1 + 1e-6) / 2 as Float).squareRoot()
        for index in held.indices {
            let size = abs(gradient[index])
            #expect(abs(abs(held[index]) / (0.2 * size / (size + mean)) - 1) < 1e-3)
            #expect((held[index] > 0) == (gradient[index] < 0))
        }
    }
}
