import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

/// The package's own goldens: formulas written out in NumPy by `Scripts/goldens/quantizers.py`.
@Suite struct GoldenTests {
    struct Manifest: Decodable {
        struct Case: Decodable {
            let scheme: String
            let fit: CodeFit
        }
        let cases: [Case]
    }

    private let folder = TestFiles.root.appending(path: "Tests/QuantizersTests/Goldens")

    @Test func equalToNumpy() throws {
        let manifest = try JSONDecoder().decode(
            Manifest.self, from: Data(contentsOf: folder.appending(path: "manifest.json")))
        let weights = try NumpyFile.read(folder.appending(path: "weights.npy"))
        let all = try NumpyFile.read(folder.appending(path: "decoded.npy"))
        try #require(all.rows == manifest.cases.count * weights.rows)
        let squares = rowSquares(weights)
        for (index, golden) in manifest.cases.enumerated() {
            let scheme = try #require(Scheme(golden.scheme))
            let expected = all.gathering(rows: Array(index * weights.rows..<(index + 1) * weights.rows))
            let decoded = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: golden.fit))
            if golden.fit == .greedy {
                #expect(largestDifference(decoded, expected) < 5e-6, "\(golden.scheme)")
                continue
            }
            // Refined falls back to greedy where that is better, alternating has more starts: equal or
            // better.
            let mine = rowErrors(weights, decoded)
            let theirs = rowErrors(weights, expected)
            for row in 0..<weights.rows {
                #expect(
                    mine[row] <= theirs[row] * (1 + 1e-6) + 1e-10 * squares[row],
                    "\(golden.scheme), \(golden.fit), row \(row)")
            }
        }
    }
}
