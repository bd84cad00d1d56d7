import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

@Suite struct BinaryCodesTests {
    static let hasGoldens = TestFiles.hasShared("goldens/quantizers/manifest.json")

    /// The scheme of a golden by row or by group; nil by tensor, which binary codes do not have.
    private func scheme(_ golden: ReferenceGolden) -> Scheme? {
        guard let bits = golden.args.bits, golden.args.granularity != "tensor" else { return nil }
        return .binaryCodes(bits: bits, group: golden.args.group, alphas: .fp32)
    }

    @Test(.enabled(if: hasGoldens, "needs ../shared/goldens"), arguments: ReferenceGolden.all("bcq-greedy"))
    func greedyEqualsReference(_ golden: ReferenceGolden) throws {
        guard let scheme = scheme(golden) else { return }
        let decoded = try Quantizer.decode(Quantizer.encode(golden.weights(), as: scheme, fit: .greedy))
        #expect(largestDifference(decoded, try golden.expected()) < 5e-6)
    }

    @Test(.enabled(if: hasGoldens, "needs ../shared/goldens"), arguments: ReferenceGolden.all("bcq-refined"))
    func refinedEqualsReferenceWhereThatBeatsGreedy(_ golden: ReferenceGolden) throws {
        guard let scheme = scheme(golden) else { return }
        let weights = try golden.weights()
        let expected = try golden.expected()
        let refined = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: .refined))
        let mine = rowErrors(weights, refined)
        let theirs = rowErrors(weights, expected)
        let squares = rowSquares(weights)
        for row in 0..<weights.rows {
            let difference = zip(refined[row: row], expected[row: row]).reduce(0) {
                max($0, abs($1.0 - $1.1))
            }
            #expect(
                difference < 5e-6 || mine[row] < theirs[row] + 1e-9 * squares[row],
                "row \(row): \(difference), error \(mine[row]) against \(theirs[row])")
        }
    }

    @Test(
        .enabled(if: hasGoldens, "needs ../shared/goldens"), arguments: ReferenceGolden.all("bcq-alternating")
    )
    func alternatingIsNeverWorseThanReference(_ golden: ReferenceGolden) throws {
        guard let scheme = scheme(golden) else { return }
        let weights = try golden.weights()
        let decoded = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: .alternating))
        let mine = rowErrors(weights, decoded)
        let theirs = rowErrors(weights, try golden.expected())
        let squares = rowSquares(weights)
        for row in 0..<weights.rows {
            #expect(mine[row] <= theirs[row] * (1 + 1e-6) + 1e-9 * squares[row], "row \(row)")
        }
    }

    /// Clusters are fitted a run of rows at a time, which must not show.
    @Test func longClustersAreBinaryCodesOfTheirRows() throws {
        let (rows, columns) = (11_000, 11)
        var generator = SeededGenerator(seed: 1)
        let weights = Matrix(
            rows: rows, columns: columns,
            storage: (0..<rows * columns).map { _ in Float(generator.normal()) })
        let decoded = try Quantizer.decode(
            Quantizer.encode(
                weights, as: .clusteredCodes(clusters: 2, ratio: 1, alphas: .fp32), fit: .alternating))
        for (bits, range) in [(2, 0..<rows / 2), (1, rows / 2..<rows)] {
            let alone = try Quantizer.encode(
                weights.slice(rows: range), as: .binaryCodes(bits: bits, group: nil, alphas: .fp32),
                fit: .alternating)
            #expect(try Quantizer.decode(alone) == decoded.slice(rows: range), "\(bits) bits")
        }
    }
}
