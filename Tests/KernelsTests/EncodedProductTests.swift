import BitplanKernels
import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Encoders and kernels agree on what the stored bytes mean, for every scheme and odd shapes.
@Suite struct EncodedProductTests {
    @Test(arguments: EveryScheme.list)
    func rowsAreEqual(_ scheme: Scheme) throws {
        for (rows, columns) in [(1, 1), (3, 5), (63, 65), (70, 192), (130, 64)] {
            if case .bitLinear(let codes) = scheme, rows % codes.groups != 0 { continue }
            var generator = SeededGenerator(seed: UInt64(rows * 1000 + columns))
            let weights = Matrix(
                rows: rows, columns: columns,
                storage: (0..<rows * columns).map { _ in Float(generator.normal()) })
            let packed = try Quantizer.encode(weights, as: scheme, fit: .alternating)
            #expect(packed.sizeInBytes == scheme.sizeInBytes(rows: rows, columns: columns))
            let decoded = try Quantizer.decode(packed)
            let matrix = try LinearOperators.make(packed)
            for row in Set([0, rows / 2, rows - 1]) {
                var copy = [Float](repeating: 0, count: columns)
                matrix.copyRow(row, into: &copy)
                for (a, b) in zip(copy, decoded[row: row]) {
                    #expect(abs(a - b) <= 1e-5 * max(1, abs(b)), "row \(row)")
                }
            }
        }
    }

    /// Threads that share the rows of a product give the bits of one thread.
    @Test(arguments: EveryScheme.list)
    func sharedRows(_ scheme: Scheme) throws {
        for (rows, columns, tokens) in [(700, 96, 60), (513, 2048, 1), (2052, 1024, 1)] {
            if case .bitLinear(let codes) = scheme, rows % codes.groups != 0 { continue }
            let packed = try Quantizer.encode(randomMatrix(rows, columns, seed: 3), as: scheme, fit: .greedy)
            let x = randomMatrix(tokens, columns, seed: 4)
            for instructions in InstructionSet.available {
                let alone = try product(packed, x, instructions)
                let shared = try ProductTeam.sharing(threads: 3) { try product(packed, x, instructions) }
                #expect(alone == shared, "\(rows) x \(columns), \(instructions)")
            }
        }
    }

    /// What a scheme says of its activations is what its product does to them, and all that it does.
    @Test(arguments: EveryScheme.list)
    func activations(_ scheme: Scheme) throws {
        let weights = randomMatrix(64, 192, seed: 11)
        let packed = try Quantizer.encode(weights, as: scheme, fit: .greedy)
        let x = randomMatrix(4, 192, seed: 12)
        let decoded = try Quantizer.decode(packed)
        let output = try product(packed, x)
        let error = relativeError(output, referenceProduct(decoded, x))
        switch scheme.family.activations {
        case .fp32: #expect(error < 2e-6)
        case .rounded(let bits): #expect(error < 4 * exp2(-Double(bits)) && error > 0)
        case .quantized(let bits, let normalized):
            // Inputs with a mean and a scale: whether they are normalised shows.
            let (shifted, unit) = (x.mapped { 3 * $0 + 2 }, x.normalizedRows())
            let shiftedOutput = try product(packed, shifted)
            #expect(error > exp2(-Double(bits + 2)), "activations are quantized")
            let expected = referenceProduct(decoded, normalized ? unit : shifted)
            // Signs say nothing of magnitudes: only their own product is theirs.
            if bits > 1 { #expect(relativeError(shiftedOutput, expected) < exp2(3 - Double(bits))) }
        }
    }
}

extension Matrix {
    fileprivate func mapped(_ transform: (Float) -> Float) -> Matrix {
        Matrix(rows: rows, columns: columns, storage: storage.map(transform))
    }

    /// Each row less its mean, divided by its standard deviation.
    fileprivate func normalizedRows() -> Matrix {
        var result = self
        for row in 0..<rows {
            let mean = self[row: row].reduce(0.0) { $0 + Double($1) } / Double(columns)
            let variance =
                self[row: row].reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
                / Double(columns)
            for column in 0..<columns {
                result[row, column] = Float((Double(self[row, column]) - mean) / variance.squareRoot())
            }
        }
        return result
    }
}
