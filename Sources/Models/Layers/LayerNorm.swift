import BitplanKernels
import BitplanTensors

/// Layer normalization with weight and bias, over each row.
struct LayerNorm: Sendable {
    let name: String
    let weight: [Float]
    let bias: [Float]
    let epsilon: Float

    /// Takes `<name>.weight` and `<name>.bias`.
    init(
        _ name: String, width: Int, epsilon: Float, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        self.name = name
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

    /// Takes the gradient of the output to that of the input `x`, in place.
    func backward(_ gradient: inout Matrix, input x: Matrix, _ sink: any GradientSink) {
        var (gains, biases) = (weight.map { _ in Float(0) }, bias.map { _ in Float(0) })
        gradient.forEachRow(beside: x) { x, dy in
            normGradient(
                x, count: weight.count, gain: weight, epsilon: epsilon, dy, gainGradient: &gains,
                biasGradient: &biases)
        }
        sink.vector(name + ".weight", gains)
        sink.vector(name + ".bias", biases)
    }
}

extension Matrix {
    /// Runs `body` on every row of another matrix of the same shape, and of this one, which it may change.
    mutating func forEachRow(
        beside other: Matrix, _ body: (UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
    ) {
        forEachRun(of: columns, beside: other, body)
    }

    /// The same for every run of `length` numbers of its rows, which `length` divides.
    mutating func forEachRun(
        of length: Int, beside other: Matrix,
        _ body: (UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
    ) {
        precondition(rows == other.rows && columns == other.columns, "shapes differ")
        let count = rows * columns
        storage.withUnsafeMutableBufferPointer { own in
            other.storage.withUnsafeBufferPointer { other in
                guard let own = own.baseAddress, let other = other.baseAddress else { return }
                for start in Swift.stride(from: 0, to: count, by: length) { body(other + start, own + start) }
            }
        }
    }
}
