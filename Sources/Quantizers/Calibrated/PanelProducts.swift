/// Products with a square matrix for 16 rows side by side.
enum PanelProducts {
    typealias Lanes = SIMD16<Float>

    /// `out[i] = sum_j matrix[i, positions[j]] vectors[j]` for the rows i of a range.
    ///
    /// - Complexity: O(rows.count * positions.count), 16 products each.
    @inline(__always)
    static func multiply(
        _ matrix: UnsafePointer<Float>, size: Int, rows: Range<Int>, positions: UnsafeBufferPointer<Int32>,
        vectors: UnsafePointer<Lanes>, into out: UnsafeMutablePointer<Lanes>
    ) {
        var row = rows.lowerBound
        while row + 2 <= rows.upperBound {
            let first = matrix + row * size
            let second = first + size
            var sum0 = Lanes()
            var sum1 = Lanes()
            for index in 0..<positions.count {
                let position = Int(positions[index])
                let vector = vectors[index]
                sum0 += vector * first[position]
                sum1 += vector * second[position]
            }
            out[row] = sum0
            out[row + 1] = sum1
            row += 2
        }
        if row < rows.upperBound {
            var sum = Lanes()
            for index in 0..<positions.count {
                sum += vectors[index] * matrix[row * size + Int(positions[index])]
            }
            out[row] = sum
        }
    }
}
