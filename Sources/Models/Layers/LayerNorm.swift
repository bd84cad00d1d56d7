import Tensors

/// Layer normalization with weight and bias, over each row.
struct LayerNorm: Sendable {
    let weight: [Float]
    let bias: [Float]
    let epsilon: Float

    /// Takes `<name>.weight` and `<name>.bias`.
    init(_ name: String, epsilon: Float, _ weights: WeightTable) throws(MissingWeight) {
        weight = try weights.vector(name + ".weight")
        bias = try weights.vector(name + ".bias")
        self.epsilon = epsilon
    }

    /// Normalizes every row of `x` in place.
    func apply(_ x: inout Matrix) {
        let columns = x.columns
        let rows = x.rows
        x.storage.withUnsafeMutableBufferPointer { y in
            for row in 0..<rows {
                let line = UnsafeMutableBufferPointer(rebasing: y[row * columns..<(row + 1) * columns])
                var sum = 0.0
                for value in line { sum += Double(value) }
                let mean = Float(sum / Double(columns))
                var squares = 0.0
                for value in line {
                    let centred = value - mean
                    squares += Double(centred * centred)
                }
                let scale = 1 / (Float(squares / Double(columns)) + epsilon).squareRoot()
                for column in 0..<columns { line[column] = (line[column] - mean) * scale * weight[column] + bias[column] }
            }
        }
    }
}
