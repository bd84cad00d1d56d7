/// A dense FP32 matrix, row-major.
///
/// - Shapes: (`rows`, `columns`); `storage` has `rows * columns` numbers. A batch of activations is a matrix
///   of (tokens, channels).
package struct Matrix: Sendable, Equatable {
    /// The number of rows.
    package let rows: Int
    /// The number of columns.
    package let columns: Int
    /// The numbers, row by row.
    package var storage: [Float]

    /// A matrix over `storage`, which must have `rows * columns` numbers.
    package init(rows: Int, columns: Int, storage: [Float]) {
        precondition(rows >= 0 && columns >= 0 && storage.count == rows * columns, "shape and storage differ")
        self.rows = rows
        self.columns = columns
        self.storage = storage
    }

    /// A matrix of zeros.
    package init(rows: Int, columns: Int) {
        self.init(rows: rows, columns: columns, storage: [Float](repeating: 0, count: rows * columns))
    }

    /// The number at a row and column.
    @inlinable
    package subscript(row: Int, column: Int) -> Float {
        get { storage[row * columns + column] }
        set { storage[row * columns + column] = newValue }
    }

    /// One row, as a slice of `storage`.
    @inlinable
    package subscript(row row: Int) -> ArraySlice<Float> {
        storage[row * columns..<(row + 1) * columns]
    }

    /// The rows at `indices`, in that order.
    package func gathering(rows indices: [Int]) -> Matrix {
        var gathered: [Float] = []
        gathered.reserveCapacity(indices.count * columns)
        for row in indices { gathered.append(contentsOf: self[row: row]) }
        return Matrix(rows: indices.count, columns: columns, storage: gathered)
    }
}

extension Matrix {
    /// A copy of consecutive rows.
    package func slice(rows range: Range<Int>) -> Matrix {
        if range == 0..<rows { return self }
        return Matrix(
            rows: range.count, columns: columns,
            storage: Array(storage[range.lowerBound * columns..<range.upperBound * columns]))
    }
}

extension Matrix {
    /// Rows and columns exchanged.
    package func transposed() -> Matrix {
        var result = Matrix(rows: columns, columns: rows)
        storage.withUnsafeBufferPointer { source in
            result.storage.withUnsafeMutableBufferPointer { target in
                for row in 0..<rows {
                    for column in 0..<columns { target[column * rows + row] = source[row * columns + column] }
                }
            }
        }
        return result
    }

    /// Adds another matrix of the same shape.
    package mutating func add(_ other: Matrix) {
        precondition(rows == other.rows && columns == other.columns, "shapes differ")
        storage.withUnsafeMutableBufferPointer { y in
            other.storage.withUnsafeBufferPointer { x in
                for i in y.indices { y[i] += x[i] }
            }
        }
    }
}
