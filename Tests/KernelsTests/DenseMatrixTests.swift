import BitplanKernels
import BitplanTensors
import Foundation
import PlanFormat
import Testing

@Suite("FP32 products on panels")
struct DenseMatrixTests {
    static let shapes = [
        (1, 1), (3, 5), (63, 65), (64, 64), (65, 63), (130, 7), (200, 300), (128, 513), (17, 0), (0, 4),
    ]

    @Test(
        "equal to the naive product at odd shapes, for every number of tokens",
        arguments: InstructionSet.available)
    func product(instructions: InstructionSet) {
        for (index, (rows, columns)) in Self.shapes.enumerated() {
            let weights = randomMatrix(rows, columns, seed: UInt64(index))
            let dense = DenseMatrix(weights, instructions: instructions)
            for tokens in [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 31, 32, 70] {
                let x = randomMatrix(tokens, columns, seed: UInt64(100 + tokens))
                let y = dense(x)
                #expect(y.rows == tokens && y.columns == rows)
                let error = relativeError(y.storage, referenceProduct(weights, x))
                #expect(error < 1e-6, "\(rows) x \(columns), \(tokens) tokens, \(instructions): \(error)")
            }
        }
    }

    @Test("a token's result does not depend on the batch", arguments: InstructionSet.available)
    func batchInvariance(instructions: InstructionSet) {
        for (rows, columns) in [(65, 63), (200, 600), (128, 300)] {
            let dense = DenseMatrix(randomMatrix(rows, columns, seed: 1), instructions: instructions)
            let x = randomMatrix(37, columns, seed: 2)
            let y = dense(x)
            for t in [0, 5, 6, 36] {
                #expect(dense(x.gathering(rows: [t])).storage == Array(y[row: t]), "token \(t)")
            }
        }
    }

    @Test(
        "AVX2 and AVX-512 agree bit for bit",
        .enabled(if: InstructionSet.available.contains(.avx512), "needs AVX-512"))
    func fusedPathsAgree() {
        let weights = randomMatrix(190, 333, seed: 3)
        for tokens in [1, 9] {
            let x = randomMatrix(tokens, 333, seed: 4)
            #expect(
                DenseMatrix(weights, instructions: .avx2)(x) == DenseMatrix(weights, instructions: .avx512)(x)
            )
        }
    }

    @Test("FP16 weights give the bits of their FP32 values", arguments: InstructionSet.available)
    func halves(instructions: InstructionSet) throws {
        // Every finite half once, subnormal and negative ones included.
        let bits = (0..<UInt16.max).filter { $0 & 0x7c00 != 0x7c00 }
        for (rows, columns) in [(70, 900), (64, 31), (3, 5)] {
            let halves = (0..<rows * columns).map { bits[$0 * 7919 % bits.count] }
            let values = halves.map { half -> Float in
                let (exponent, fraction) = (Int(half >> 10 & 31), Float(half & 1023))
                let magnitude =
                    exponent == 0
                    ? fraction * 0x1p-24
                    : (1 + fraction / 1024) * Float(sign: .plus, exponent: exponent - 15, significand: 1)
                return half & 0x8000 == 0 ? magnitude : -magnitude
            }
            let tensor = PackedTensor(
                type: .float16, shape: [rows, columns], bytes: halves.withUnsafeBytes { Data($0) })
            let packed = PackedMatrix(
                scheme: .full(.fp16), rows: rows, columns: columns, parts: ["weights": tensor])
            let dense = DenseMatrix(
                Matrix(rows: rows, columns: columns, storage: values), instructions: instructions)
            let half = try LinearOperators.make(packed, instructions: instructions)
            for tokens in [1, 2, 7] {
                let x = randomMatrix(tokens, columns, seed: 3)
                let (a, b) = (half(x), dense(x))
                #expect(a == b, "\(rows) x \(columns), \(tokens) tokens")
            }
            var row = [Float](repeating: 0, count: columns)
            half.copyRow(rows - 1, into: &row)
            #expect(row == Array(values.suffix(columns)))
        }
    }

    @Test("a row comes back as it went in")
    func rows() {
        let weights = randomMatrix(130, 33, seed: 5)
        let dense = DenseMatrix(weights)
        for row in [0, 63, 64, 129] {
            var copy = [Float](repeating: 0, count: 33)
            dense.copyRow(row, into: &copy)
            #expect(copy == Array(weights[row: row]))
        }
    }
}
