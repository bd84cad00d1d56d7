import BitplanKernels
import BitplanTensors

/// Root-mean-square normalization with a weight: `y = x / sqrt(mean(x^2) + epsilon) * (weight + offset)`,
/// over each row, or over each run of a row that is as long as the weight: a head's channels.
///
/// - Source: Zhang and Sennrich 2019; Gemma Team 2024 for weights that are stored less 1.
struct RMSNorm: Sendable {
    let name: String
    /// The weight and the offset.
    let gain: [Float]
    let epsilon: Float

    /// Takes `<name>.weight`.
    init(
        _ name: String, width: Int, epsilon: Float, offset: Float = 0, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        self.name = name
        let weight = try reader.vector(name + ".weight", count: width)
        gain = offset == 0 ? weight : weight.map { offset + $0 }
        self.epsilon = epsilon
    }

    /// Normalizes every run of `x` in place.
    ///
    /// - Shapes: `x` (rows, a multiple of the weight's length).
    func apply(_ x: inout Matrix) {
        let columns = gain.count
        x.storage.withUnsafeMutableBufferPointer { y in
            for start in stride(from: 0, to: y.count, by: columns) {
                let row = UnsafeMutableBufferPointer(rebasing: y[start..<start + columns])
                let scale = 1 / (RMSNorm.sumOfSquares(row) / Float(columns) + epsilon).squareRoot()
                for i in 0..<columns { row[i] = row[i] * scale * gain[i] }
            }
        }
    }

    /// Takes the gradient of the output to that of the input `x`, in place.
    func backward(_ gradient: inout Matrix, input x: Matrix, _ sink: any GradientSink) {
        var gains = gain.map { _ in Float(0) }
        gradient.forEachRun(of: gain.count, beside: x) { x, dy in
            normGradient(
                x, count: gain.count, gain: gain, epsilon: epsilon, dy, gainGradient: &gains,
                biasGradient: nil)
        }
        sink.vector(name + ".weight", gains)
    }

    /// Sixteen sums side by side and then together: one order, whatever vectors the machine has.
    private static func sumOfSquares(_ row: UnsafeMutableBufferPointer<Float>) -> Float {
        var lanes = SIMD16<Float>(repeating: 0)
        let whole = row.count & ~15
        let bytes = UnsafeRawBufferPointer(row)
        for i in stride(from: 0, to: whole, by: 16) {
            let x = bytes.loadUnaligned(fromByteOffset: 4 * i, as: SIMD16<Float>.self)
            lanes += x * x
        }
        return row[whole...].reduce(lanes.sum()) { $0 + $1 * $1 }
    }
}
