import BitplanKernels
import BitplanTensors

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
        let (rows, columns) = (x.rows, x.columns)
        x.storage.withUnsafeMutableBufferPointer { buffer in
            guard let y = buffer.baseAddress else { return }
            for line in (0..<rows).map({ y + $0 * columns }) {
                layerNorm(line, count: columns, gain: weight, bias: bias, epsilon: epsilon, into: line)
            }
        }
    }
}
