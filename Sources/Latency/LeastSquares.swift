/// Least squares with non-negative unknowns.
enum LeastSquares {
    /// The x >= 0 of least `sum_i (sum_j rows[i][j] x[j] - values[i])^2`, by coordinate descent on the normal
    /// equations.
    ///
    /// - Complexity: O(rounds * unknowns^2) behind O(rows * unknowns^2).
    static func nonNegative(_ rows: [[Double]], _ values: [Double], rounds: Int = 20_000) -> [Double] {
        let count = rows.first?.count ?? 0
        // Columns of length 1, so that one tolerance fits all.
        let scales = (0..<count).map { j in
            let length = rows.reduce(0.0) { $0 + $1[j] * $1[j] }.squareRoot()
            return length > 0 ? length : 1
        }
        var gram = [[Double]](repeating: [Double](repeating: 0, count: count), count: count)
        var target = [Double](repeating: 0, count: count)
        for (row, value) in zip(rows, values) {
            for j in 0..<count {
                target[j] += row[j] / scales[j] * value
                for k in 0..<count { gram[j][k] += row[j] / scales[j] * row[k] / scales[k] }
            }
        }
        var x = [Double](repeating: 0, count: count)
        for _ in 0..<rounds {
            var largest = 0.0
            for j in 0..<count where gram[j][j] > 0 {
                let gradient = zip(gram[j], x).reduce(-target[j]) { $0 + $1.0 * $1.1 }
                let new = max(0, x[j] - gradient / gram[j][j])
                largest = max(largest, abs(new - x[j]))
                x[j] = new
            }
            let size = x.max() ?? 0
            if largest <= 1e-13 * size { break }
        }
        return zip(x, scales).map { $0 / $1 }
    }
}
