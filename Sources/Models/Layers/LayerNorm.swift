import BitplanKernels
import BitplanTensors

/// Layer normalization with weight and bias, over each row.
struct LayerNorm: Sendable {
    let weight: [Float]
    let bias: [Float]
    let epsilon: Float

    /// Takes `<name>.weight` and `<name>.bias`.
    init(
        _ name: String, width: Int, epsilon: Float, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        weight = try reader.vector(name + ".weight", count: width)
        bias = try reader.vector(name + ".bias", count: width)
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
