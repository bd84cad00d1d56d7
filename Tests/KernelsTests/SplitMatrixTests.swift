import BitplanKernels
import BitplanTensors
import Testing

@Suite("Products of numbers split into two of BF16")
struct SplitMatrixTests {
    static let ways = SplitMatrix.isFast ? [true, false] : [false]
    static let tokens = [0, 1, 2, 15, 16, 17, 31, 32, 33, 70]

    @Test("right to 2^-15 of the result's size at odd shapes, for every number of tokens", arguments: ways)
    func product(usesTiles: Bool) {
        for (index, (rows, columns)) in DenseMatrixTests.shapes.enumerated() {
            let weights = randomMatrix(rows, columns, seed: UInt64(index))
            let split = SplitMatrix(weights, usesTiles: usesTiles)
            for tokens in Self.tokens {
                let x = randomMatrix(tokens, columns, seed: UInt64(100 + tokens))
                let y = split(x)
                #expect(y.rows == tokens && y.columns == rows)
                let error = relativeError(y.storage, referenceProduct(weights, x))
                #expect(error < 0x1p-15, "\(rows) x \(columns), \(tokens) tokens: \(error)")
            }
        }
    }

    @Test(
        "tiles give the sums of the twin without tiles",
        .enabled(if: SplitMatrix.isFast, "needs AMX tiles of BF16"))
    func twin() {
        for (index, (rows, columns)) in (DenseMatrixTests.shapes + [(70, 2050)]).enumerated() {
            let weights = randomMatrix(rows, columns, seed: UInt64(index))
            let x = randomMatrix(41, columns, seed: 7)
            let twin = SplitMatrix(weights, usesTiles: false)(x)
            let error = relativeError(SplitMatrix(weights)(x).storage, twin.storage.map { Double($0) })
            #expect(error < 1e-6, "\(rows) x \(columns): \(error)")
        }
    }

    @Test("a token's result does not depend on the batch", arguments: ways)
    func batchInvariance(usesTiles: Bool) {
        for (rows, columns) in [(65, 63), (40, 2100)] {
            let split = SplitMatrix(randomMatrix(rows, columns, seed: 1), usesTiles: usesTiles)
            let x = randomMatrix(190, columns, seed: 2)
            let y = split(x)
            for t in [0, 15, 16, 31, 100, 189] {
                #expect(split(x.gathering(rows: [t])).storage == Array(y[row: t]), "token \(t)")
            }
        }
    }

    @Test("numbers that BF16 has are multiplied exactly, and rows come back to 16 bits", arguments: ways)
    func numbers(usesTiles: Bool) {
        let whole = Matrix(rows: 3, columns: 2, storage: [1, -2, 0.5, 384, 0x1p-100, 0])
        let y = SplitMatrix(whole, usesTiles: usesTiles)(Matrix(rows: 1, columns: 2, storage: [3, 4]))
        #expect(y.storage == [-5, 1537.5, 3 * 0x1p-100])
        let weights = randomMatrix(37, 45, seed: 3)
        let split = SplitMatrix(weights, usesTiles: usesTiles)
        for (a, b) in zip(split.decoded().storage, weights.storage) {
            #expect(abs(a - b) <= abs(b) * 0x1p-16)
        }
    }
}
