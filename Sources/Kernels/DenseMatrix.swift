import Tensors

/// FP32 weights behind the `LinearOperator` protocol.
public final class DenseMatrix: LinearOperator {
    public let rows: Int
    public let columns: Int
    private let weights: [Float]

    /// An operator over a copy of `matrix`.
    public init(_ matrix: Matrix) {
        rows = matrix.rows
        columns = matrix.columns
        weights = matrix.storage
    }

    public var residentBytes: Int { 4 * rows * columns }

    public func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        weights.withUnsafeBufferPointer { w in
            for t in 0..<tokens {
                for r in 0..<rows {
                    var sum: Float = 0
                    for c in 0..<columns { sum += w[r * columns + c] * x[t * columns + c] }
                    y[t * rows + r] = sum
                }
            }
        }
    }

    public func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        weights.withUnsafeBufferPointer { w in
            for c in 0..<columns { destination[c] = w[row * columns + c] }
        }
    }
}
