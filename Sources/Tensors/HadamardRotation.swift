/// The rotation `R = blockdiag(H D)` of vectors: random signs, then normalized Hadamard matrices.
///
/// H is the Hadamard matrix of order n, the largest power of two that divides the number of columns, divided
/// by sqrt(n), so that R is orthogonal; D are signs of a fixed generator by the column's index, which are not
/// stored. A rotation makes rows of a matrix nearly normal and spreads outliers over a block.
///
/// The order of every sum depends on the number of columns alone.
/// - Source: Tseng et al. 2024 (QuIP#), section 3; the fast transform: Fino and Algazi 1976.
package struct HadamardRotation: Sendable {
    /// Numbers of a vector.
    package let columns: Int
    /// The order of the Hadamard matrices: a power of two.
    package let block: Int
    /// +1 or -1 for every column, times 1 / sqrt(block).
    package let signs: [Float]

    /// The rotation of vectors of so many numbers; nil where no block of 2 divides them.
    package init?(columns: Int) {
        guard columns > 0, columns % 2 == 0 else { return nil }
        self.columns = columns
        block = 1 << columns.trailingZeroBitCount
        let scale = 1 / Float(block).squareRoot()
        var generator = SeededGenerator(seed: 0x7C91_5D3B)
        signs = (0..<columns).map { _ in generator.next() >> 63 == 0 ? scale : -scale }
    }

    /// Replaces x, a row of `columns` numbers, by R x.
    package func apply(to x: UnsafeMutablePointer<Float>) {
        for index in 0..<columns { x[index] *= signs[index] }
        transform(x)
    }

    /// Replaces x, a row of `columns` numbers, by R' x, the reverse of R x.
    package func applyTranspose(to x: UnsafeMutablePointer<Float>) {
        transform(x)
        for index in 0..<columns { x[index] *= signs[index] }
    }

    /// What `init(columns:)` asks for, for people to read.
    package static let expectedColumns = "an even number of columns for a rotation"

    /// Every row x of a matrix as R x: W R'.
    package func rotating(_ matrix: Matrix) -> Matrix { mappingRows(of: matrix, apply) }

    /// Every row x of a matrix as R' x: W R.
    package func rotatingBack(_ matrix: Matrix) -> Matrix { mappingRows(of: matrix, applyTranspose) }

    private func mappingRows(of matrix: Matrix, _ change: (UnsafeMutablePointer<Float>) -> Void) -> Matrix {
        precondition(matrix.columns == columns, "rows of \(matrix.columns) numbers, a rotation of \(columns)")
        var changed = matrix
        changed.storage.withUnsafeMutableBufferPointer { storage in
            guard let base = storage.baseAddress else { return }
            for row in 0..<matrix.rows { change(base + row * columns) }
        }
        return changed
    }

    /// Sums and differences of neighbours at rising distances, in every block: H without its factor.
    private func transform(_ x: UnsafeMutablePointer<Float>) {
        let raw = UnsafeMutableRawPointer(x)
        var distance = 1
        while distance < block {
            for start in stride(from: 0, to: columns, by: 2 * distance) {
                let (first, second) = (start, start + distance)
                var index = 0
                while index + 8 <= distance {
                    let a = raw.loadUnaligned(fromByteOffset: 4 * (first + index), as: SIMD8<Float>.self)
                    let b = raw.loadUnaligned(fromByteOffset: 4 * (second + index), as: SIMD8<Float>.self)
                    raw.storeBytes(of: a + b, toByteOffset: 4 * (first + index), as: SIMD8<Float>.self)
                    raw.storeBytes(of: a - b, toByteOffset: 4 * (second + index), as: SIMD8<Float>.self)
                    index += 8
                }
                while index < distance {
                    let (a, b) = (x[first + index], x[second + index])
                    x[first + index] = a + b
                    x[second + index] = a - b
                    index += 1
                }
            }
            distance *= 2
        }
    }
}
