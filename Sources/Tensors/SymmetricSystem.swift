/// Solves `A x = b` for a small symmetric positive semidefinite A by its Cholesky factor; unknowns that the
/// ones before make superfluous become 0.
///
/// - Parameters:
///   - room: memory for the factor, `size * size` numbers.
///   - solution: x, `size` numbers.
///   - left: the number of A at a row and a column that is not beyond it.
///   - right: the number of b at a row.
/// - Complexity: O(size^3).
@inlinable
@inline(__always)
package func solveSymmetric(
    size: Int, room factor: UnsafeMutableBufferPointer<Double>,
    into solution: UnsafeMutableBufferPointer<Double>, left: (Int, Int) -> Double, right: (Int) -> Double
) {
    for row in 0..<size {
        for column in 0...row {
            var value = left(row, column)
            for inner in 0..<column { value -= factor[size * row + inner] * factor[size * column + inner] }
            if row == column {
                factor[size * row + row] = value > 1e-10 * left(row, row) ? value.squareRoot() : 0
            } else {
                let pivot = factor[size * column + column]
                factor[size * row + column] = pivot > 0 ? value / pivot : 0
            }
        }
    }
    for row in 0..<size {
        var value = right(row)
        for inner in 0..<row { value -= factor[size * row + inner] * solution[inner] }
        let pivot = factor[size * row + row]
        solution[row] = pivot > 0 ? value / pivot : 0
    }
    for row in stride(from: size - 1, through: 0, by: -1) {
        var value = solution[row]
        for inner in row + 1..<max(row + 1, size) { value -= factor[size * inner + row] * solution[inner] }
        let pivot = factor[size * row + row]
        solution[row] = pivot > 0 ? value / pivot : 0
    }
}

/// The x of `A x = b` for a symmetric positive semidefinite A of any size.
///
/// - Shapes: `a` (n, n), `b` (n).
/// - Complexity: O(n^3).
package func solveSymmetric(_ a: [[Double]], _ b: [Double]) -> [Double] {
    var factor = [Double](repeating: 0, count: a.count * a.count)
    return factor.withUnsafeMutableBufferPointer { room in
        [Double](unsafeUninitializedCapacity: b.count) { solution, count in
            solveSymmetric(size: b.count, room: room, into: solution) {
                a[$0][$1]
            } right: {
                b[$0]
            }
            count = b.count
        }
    }
}
