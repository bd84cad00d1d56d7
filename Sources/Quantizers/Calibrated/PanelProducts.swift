/// Products with a square matrix for 16 rows side by side.
enum PanelProducts {
    typealias Lanes = SIMD16<Float>

    /// `out[i] = sum_j matrix[i, positions[j]] vectors[j]`, over all i.
    ///
    /// - Complexity: O(size * positions.count), 16 products each.
    @inline(__always)
    static func multiply(
        _ matrix: UnsafePointer<Float>, size: Int, positions: UnsafeBufferPointer<Int32>,
        vectors: UnsafePointer<Lanes>, into out: UnsafeMutablePointer<Lanes>
    ) {
        var row = 0
        while row + 2 <= size {
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
        if row < size {
            var sum = Lanes()
            for index in 0..<positions.count {
                sum += vectors[index] * matrix[row * size + Int(positions[index])]
            }
            out[row] = sum
        }
    }
}
