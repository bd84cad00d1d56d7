import BitplanTensors
import PlanFormat

/// A feed-forward with a gate: `down(activation(gate(x)) * up(x))`; SwiGLU where the activation is SiLU.
///
/// - Source: Shazeer 2020.
struct GatedFeedForward: Sendable {
    let gate: Linear
    let up: Linear
    let down: Linear
    let activation: ActivationFunction

    /// Takes `<name>.gate_proj`, `.up_proj` and `.down_proj`.
    init(
        _ name: String, hasBias: Bool, activation: ActivationFunction, _ weights: WeightTable
    ) throws(MissingWeight) {
        gate = try Linear(name + ".gate_proj", hasBias: hasBias, weights)
        up = try Linear(name + ".up_proj", hasBias: hasBias, weights)
        down = try Linear(name + ".down_proj", hasBias: hasBias, weights)
        self.activation = activation
    }

    /// The matrices of a feed-forward called `name`, for a layout.
    static func shapes(_ name: String, width: Int, inner: Int) -> [MatrixShape] {
        [
            MatrixShape(tensor: name + ".gate_proj.weight", rows: inner, columns: width),
            MatrixShape(tensor: name + ".up_proj.weight", rows: inner, columns: width),
            MatrixShape(tensor: name + ".down_proj.weight", rows: width, columns: inner),
        ]
    }

    func callAsFunction(_ x: Matrix, observing: ((String, Matrix) -> Void)? = nil) -> Matrix {
        var both = Linear.together([gate, up], x, observing: observing)
        let lifted = both.removeLast()
        var hidden = both.removeLast()
        activation.apply(&hidden)
        hidden.multiply(by: lifted)
        return down(hidden, observing: observing)
    }
}

extension Matrix {
    /// Multiplies number by number with a matrix of the same shape.
    mutating func multiply(by other: Matrix) {
        precondition(rows == other.rows && columns == other.columns, "shapes differ")
        storage.withUnsafeMutableBufferPointer { y in
            other.storage.withUnsafeBufferPointer { x in
                for i in y.indices { y[i] *= x[i] }
            }
        }
    }
}
