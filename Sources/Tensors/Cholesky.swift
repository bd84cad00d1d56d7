/// Cholesky factors in double precision.
package enum Cholesky {
    private static let block = 64

    /// Replaces the lower triangle of a symmetric matrix by its factor L, `A = L L'`; false where A is not
    /// positive definite. Blocks of columns, rows in parallel; the same numbers for any number of threads.
    ///
    /// - Complexity: O(size^3 / 3).
    package static func factor(_ matrix: inout [Double], size: Int, threads: Int?) -> Bool {
        matrix.withUnsafeMutableBufferPointer { buffer in
            guard let matrix = buffer.baseAddress else { return true }
            for start in stride(from: 0, to: size, by: block) {
                let end = min(start + block, size)
                forEachRun(rows: size - start, threads: threads, minimumRows: 64) { run in
                    for row in run.lowerBound + start..<run.upperBound + start {
                        subtractProducts(matrix, size: size, row: row, columns: start..<min(end, row + 1))
                    }
                }
                for row in start..<end {
                    reduce(matrix, size: size, row: row, columns: start..<row)
                    var pivot = matrix[row * size + row]
                    for column in start..<row {
                        pivot -= matrix[row * size + column] * matrix[row * size + column]
                    }
                    guard pivot > 1e-12, pivot.isFinite else { return false }
                    matrix[row * size + row] = pivot.squareRoot()
                }
                forEachRun(rows: size - end, threads: threads, minimumRows: 64) { run in
                    for row in run.lowerBound + end..<run.upperBound + end {
                        reduce(matrix, size: size, row: row, columns: start..<end)
                    }
                }
            }
            return true
        }
    }

    /// Subtracts from each column of the block what the columns before it make.
    private static func subtractProducts(
        _ matrix: UnsafeMutablePointer<Double>, size: Int, row: Int, columns: Range<Int>
    ) {
        let left = UnsafeRawPointer(matrix + row * size)
        let length = columns.lowerBound / 8 * 8
        for column in columns {
            let right = UnsafeRawPointer(matrix + column * size)
            var sums = SIMD8<Double>()
            for index in stride(from: 0, to: length, by: 8) {
                sums +=
                    left.loadUnaligned(fromByteOffset: 8 * index, as: SIMD8<Double>.self)
                    * right.loadUnaligned(fromByteOffset: 8 * index, as: SIMD8<Double>.self)
            }
            matrix[row * size + column] -= sums.sum()
        }
    }

    /// Solves a row's columns of the block against the block's triangle.
    private static func reduce(
        _ matrix: UnsafeMutablePointer<Double>, size: Int, row: Int, columns: Range<Int>
    ) {
        for column in columns {
            var value = matrix[row * size + column]
            for inner in columns.lowerBound..<column {
                value -= matrix[row * size + inner] * matrix[column * size + inner]
            }
            matrix[row * size + column] = value / matrix[column * size + column]
        }
    }
}
