import BitplanKernels
import BitplanQuantizers
import BitplanTensors
import PlanFormat
import TestSupport
import Testing

/// Products in both directions: against sums written out, and against what the packed model computes.
@Suite struct TrainingMatrixTests {
    private static let shapes = [
        (1, 1, 1), (3, 5, 2), (64, 64, 7), (65, 63, 33), (130, 70, 6), (20, 600, 12),
    ]

    private func random(_ rows: Int, _ columns: Int, _ seed: UInt64) -> Matrix {
        var generator = SeededGenerator(seed: seed)
        return Matrix(
            rows: rows, columns: columns, storage: (0..<rows * columns).map { _ in Float(generator.normal()) }
        )
    }

    private func product(_ a: Matrix, _ b: Matrix) -> Matrix {
        var result = Matrix(rows: a.rows, columns: b.columns)
        for row in 0..<a.rows {
            for column in 0..<b.columns {
                result[row, column] = Float(
                    (0..<a.columns).reduce(0.0) { $0 + Double(a[row, $1]) * Double(b[$1, column]) })
            }
        }
        return result
    }

    private func deviation(_ a: Matrix, _ b: Matrix) -> Float {
        let size = b.storage.reduce(1e-6) { max($0, abs($1)) }
        return zip(a.storage, b.storage).reduce(0) { max($0, abs($1.0 - $1.1)) } / size
    }

    /// y = x W', dx = dy W and dW = dy' x in every instruction set; all with fused multiply-add give the same
    /// bits, and a sum goes on from what was there.
    @Test func productsInBothDirections() {
        for (rows, columns, tokens) in Self.shapes {
            let (w, x, dy) = (
                random(rows, columns, 1), random(tokens, columns, 2), random(tokens, rows, 3)
            )
            var previous: (y: Matrix, dx: Matrix, dw: Matrix)?
            for instructions in InstructionSet.available {
                let matrix = TrainingMatrix(w, instructions: instructions)
                let (y, dx) = (matrix(x), matrix.inputGradient(dy, input: x))
                var dw = weightGradient(dy, x, instructions: instructions)
                #expect(deviation(y, product(x, w.transposed())) < 1e-5)
                #expect(deviation(dx, product(dy, w)) < 1e-5)
                let once = product(dy.transposed(), x)
                #expect(deviation(dw, once) < 1e-5)
                addWeightGradient(dy, x, to: &dw, instructions: instructions)
                var twice = once
                twice.add(once)
                #expect(deviation(dw, twice) < 1e-5)
                if let previous, instructions > .avx2 {
                    #expect(previous.y == y && previous.dx == dx && previous.dw == dw, "\(instructions)")
                }
                previous = (y, dx, dw)
            }
        }
    }

    /// Where a scheme quantizes its activations, training sees what the packed kernel computes; a rounding
    /// that falls the other way is one step of an activation.
    @Test(arguments: EveryScheme.list.filter { $0.changesActivations })
    func seesWhatThePackedKernelComputes(_ scheme: Scheme) throws {
        for (rows, columns, tokens) in [(5, 8, 3), (64, 64, 7), (65, 63, 33), (20, 600, 12)] {
            let packed = try Quantizer.encode(random(rows, columns, 4), as: scheme, fit: .greedy)
            let matrix = TrainingMatrix(
                try Quantizer.decode(packed), activations: scheme.family.activations)
            let x = random(tokens, columns, 5)
            let kernel = try LinearOperators.make(packed)
            let expected = kernel(x)
            #expect(
                deviation(matrix(x), expected) < 0.01, "(\(rows), \(columns)), \(tokens) tokens")
        }
    }

    /// The way back through BitNet's normalization is that of a LayerNorm; signs of activations stop it
    /// outside [-1, 1].
    @Test func gradientsThroughQuantizedActivations() throws {
        let (w, x, dy) = (random(6, 16, 6), random(3, 16, 7), random(3, 6, 8))
        let plain = TrainingMatrix(w).inputGradient(dy, input: x)
        let signs = TrainingMatrix(w, activations: .quantized(bits: 1, normalized: false))
            .inputGradient(dy, input: x)
        for (index, value) in x.storage.enumerated() {
            #expect(signs.storage[index] == (abs(value) > 1 ? 0 : plain.storage[index]))
        }
        let normalized = TrainingMatrix(w, activations: .quantized(bits: 8, normalized: true))
            .inputGradient(dy, input: x)
        // sum(dy W' norm(x)) by central differences of the norm alone.
        for index in [0, 7, 20, 47] {
            func loss(_ change: Float) -> Double {
                var moved = x
                moved.storage[index] += change
                for row in 0..<moved.rows {
                    let mean = moved[row: row].reduce(0, +) / 16
                    let variance = moved[row: row].reduce(Float(0)) { $0 + ($1 - mean) * ($1 - mean) } / 16
                    for column in 0..<16 {
                        moved[row, column] = (moved[row, column] - mean) / (variance + 1e-5).squareRoot()
                    }
                }
                return zip(product(moved, w.transposed()).storage, dy.storage).reduce(0) {
                    $0 + Double($1.0) * Double($1.1)
                }
            }
            let slope = (loss(1e-2) - loss(-1e-2)) / 2e-2
            #expect(abs(slope - Double(normalized.storage[index])) < 1e-2 * max(1, abs(slope)))
        }
    }
}
