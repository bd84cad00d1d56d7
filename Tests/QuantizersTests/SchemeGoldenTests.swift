import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

@Suite(.enabled(if: TestFiles.hasShared("goldens/quantizers/manifest.json"), "needs ../shared/goldens"))
struct SchemeGoldenTests {
    private func granularity(_ golden: ReferenceGolden) -> Scheme.Granularity {
        switch golden.args.granularity {
        case "tensor": .tensor
        case "group": .group(golden.args.group ?? 1)
        default: .row
        }
    }

    private func check(_ golden: ReferenceGolden, _ scheme: Scheme) throws {
        let weights = try golden.weights()
        let decoded = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: .greedy))
        // Our scales are FP32, the reference's FP64.
        let largest = weights.storage.reduce(1) { max($0, abs($1)) }
        #expect(largestDifference(decoded, try golden.expected()) < 1e-6 * largest)
    }

    @Test(arguments: ReferenceGolden.all("uniform"))
    func asymmetricIntegers(_ golden: ReferenceGolden) throws {
        guard let bits = golden.args.bits, bits >= 2 else { return }
        try check(
            golden, .integer(bits: bits, symmetric: false, granularity: granularity(golden), scales: .fp32))
    }

    @Test(arguments: ReferenceGolden.all("symmetric"))
    func symmetricIntegers(_ golden: ReferenceGolden) throws {
        let bits = try #require(golden.args.bits)
        try check(
            golden, .integer(bits: bits, symmetric: true, granularity: granularity(golden), scales: .fp32))
        if bits == 8, granularity(golden) == .row { try check(golden, .integer8Activations) }
    }

    @Test(arguments: ReferenceGolden.all("nf4"))
    func normalFloat(_ golden: ReferenceGolden) throws {
        let double = golden.args.double_quant ?? false
        // bitsandbytes' dynamic 8-bit map is another format than ours.
        if double, golden.args.dq_mode != "linear" { return }
        try check(golden, .normalFloat4(block: 64, doubleQuantization: double))
    }

    @Test(arguments: ReferenceGolden.all("binary-mean"))
    func scaledSign(_ golden: ReferenceGolden) throws {
        guard golden.args.granularity == "tensor" else { return }
        let weights = try golden.weights()
        let decoded = try Quantizer.decode(Quantizer.encode(weights, as: .sign(scaled: true), fit: .greedy))
        let expected = try golden.expected()
        // The reference maps zero to +1, SensiMix to -1.
        for index in weights.storage.indices {
            let value = weights.storage[index] == 0 ? -expected.storage[index] : expected.storage[index]
            #expect(abs(decoded.storage[index] - value) < 2e-6)
        }
    }

    @Test(arguments: ReferenceGolden.all("binary-bitnet"))
    func bitLinear(_ golden: ReferenceGolden) throws {
        let weights = try golden.weights()
        let groups = golden.args.granularity == "tensor" ? 1 : weights.rows
        let decoded = try Quantizer.decode(
            Quantizer.encode(weights, as: .bitLinear(groups: groups), fit: .greedy))
        let expected = try golden.expected()
        for row in 0..<weights.rows {
            // Sign(0) is -1 in BitNet and +1 in the reference: a constant row of its own group is all zeros
            // once centred.
            let constant = Set(weights[row: row]).count == 1 && groups > 1
            for column in 0..<weights.columns {
                let value = constant ? -abs(expected[row, column]) : expected[row, column]
                #expect(abs(decoded[row, column] - value) < 2e-6)
            }
        }
    }

    @Test(arguments: ReferenceGolden.all("pq"))
    func productCodes(_ golden: ReferenceGolden) throws {
        guard golden.args.codebook != "column", let block = golden.args.block, let count = golden.args.K
        else { return }
        let weights = try golden.weights()
        let vectors = Matrix(
            rows: weights.storage.count / block, columns: block, storage: weights.storage)
        let clusters = KMeans(vectors, count: count, iterations: 25, start: .stride)
        let decoded = clusters.centroids.gathering(rows: clusters.assignment.map { Int($0) })
        let expected = try golden.expected()
        #expect(decoded.storage.count == expected.storage.count)
        let difference = zip(decoded.storage, expected.storage).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(difference < 5e-6)
    }
}
