import BitplanTensors

/// A weight matrix W of (`rows`, `columns`) that can be multiplied with activations, dense or packed.
///
/// The engine knows weights only through this protocol: probes use dense matrices, `run` uses packed ones.
package protocol LinearOperator: Sendable {
    /// Output channels.
    var rows: Int { get }
    /// Input channels.
    var columns: Int { get }

    /// Bytes that the weights take in memory.
    var residentBytes: Int { get }

    /// `y[t, r] = sum_c W[r, c] x[t, c]`.
    ///
    /// - Shapes: `x` (tokens, columns), `y` (tokens, rows), row-major.
    func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>)

    /// Writes row `row` of W, dequantized, to `destination`: the look-up of an embedding.
    func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>)

    /// This operator as one that prepares its activations; nil where it takes them as they are.
    var preparing: (any PreparingOperator)? { get }
}

extension LinearOperator {
    /// Nothing is prepared.
    package var preparing: (any PreparingOperator)? { nil }
}

extension LinearOperator {
    /// Whether two operators are one object, so that the same inputs give the same outputs.
    package func isSame(as other: any LinearOperator) -> Bool { (self as AnyObject) === (other as AnyObject) }

    /// `x W^T`.
    ///
    /// - Shapes: `x` (tokens, columns) gives (tokens, rows).
    package func callAsFunction(_ x: Matrix) -> Matrix {
        precondition(
            x.columns == columns, "activations have \(x.columns) channels, the matrix \(columns) columns")
        let storage = [Float](unsafeUninitializedCapacity: x.rows * rows) { buffer, count in
            if let y = buffer.baseAddress, x.rows > 0 {
                x.storage.withUnsafeBufferPointer { multiply($0.baseAddress!, tokens: x.rows, into: y) }
            }
            count = x.rows * rows
        }
        return Matrix(rows: x.rows, columns: rows, storage: storage)
    }

    /// All rows, dequantized.
    package func decoded() -> Matrix {
        let storage = [Float](unsafeUninitializedCapacity: rows * columns) { buffer, count in
            if let base = buffer.baseAddress {
                for row in 0..<rows { copyRow(row, into: base + row * columns) }
            }
            count = rows * columns
        }
        return Matrix(rows: rows, columns: columns, storage: storage)
    }
}
