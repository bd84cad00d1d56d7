import BitplanKernels
import BitplanTensors

/// A matrix of standard normal numbers.
func randomMatrix(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix {
    var generator = SeededGenerator(seed: seed)
    return Matrix(
        rows: rows, columns: columns, storage: (0..<rows * columns).map { _ in Float(generator.normal()) })
}

/// The twin of every product: `x W^T` in double precision.
func referenceProduct(_ weights: Matrix, _ x: Matrix) -> [Double] {
    var y: [Double] = []
    for t in 0..<x.rows {
        for r in 0..<weights.rows {
            var sum = 0.0
            for c in 0..<weights.columns { sum += Double(weights[r, c]) * Double(x[t, c]) }
            y.append(sum)
        }
    }
    return y
}

/// `|a - b| / |b|` over all numbers, or `|a - b|` where b is 0.
func relativeError(_ a: [Float], _ b: [Double]) -> Double {
    var difference = 0.0
    var norm = 0.0
    for (x, y) in zip(a, b) {
        difference += (Double(x) - y) * (Double(x) - y)
        norm += y * y
    }
    return norm == 0 ? difference.squareRoot() : (difference / norm).squareRoot()
}

/// `x W^T` by the operator that runs `packed`.
func product(
    _ packed: PackedMatrix, _ x: Matrix, _ instructions: InstructionSet = .best
) throws -> [Float] {
    let matrix = try LinearOperators.make(packed, instructions: instructions)
    return matrix(x).storage
}
