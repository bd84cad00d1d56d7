import BitplanTensors

/// Normalizes every row of activations.
enum Norm: Sendable {
    case layer(LayerNorm)
    case rms(RMSNorm)

    /// Normalizes every row of `x` in place.
    func apply(_ x: inout Matrix) {
        switch self {
        case .layer(let norm): norm.apply(&x)
        case .rms(let norm): norm.apply(&x)
        }
    }

    /// Every row of `x`, normalized.
    func callAsFunction(_ x: Matrix) -> Matrix {
        var y = x
        apply(&y)
        return y
    }
}

/// Adds a sublayer's branch to its input, normalized before or after: `x + f(norm(x))` or `norm(x + f(x))`.
struct Residual: Sendable {
    /// Where the norm stands.
    enum Placement: Sendable {
        /// On the branch's input (pre-norm).
        case before
        /// On the sum (post-norm).
        case after
    }

    let norm: Norm
    let placement: Placement

    /// Adds what `branch` makes of `x`.
    func apply(_ x: inout Matrix, _ branch: (Matrix) -> Matrix) {
        switch placement {
        case .before:
            x.add(branch(norm(x)))
        case .after:
            x.add(branch(x))
            norm.apply(&x)
        }
    }
}

/// How a family normalizes: its norm by the name of its tensors, and where it stands.
struct Normalization: Sendable {
    /// Width and epsilon of the norms.
    let width: Int
    let epsilon: Float
    let placement: Residual.Placement
    /// Whether the norm is a root mean square, without mean and bias.
    let isRootMeanSquare: Bool

    /// LayerNorms behind every sublayer.
    static func post(width: Int, epsilon: Float) -> Normalization {
        Normalization(width: width, epsilon: epsilon, placement: .after, isRootMeanSquare: false)
    }

    /// RMSNorms before every sublayer.
    static func preRootMeanSquare(width: Int, epsilon: Float) -> Normalization {
        Normalization(width: width, epsilon: epsilon, placement: .before, isRootMeanSquare: true)
    }

    /// The norm whose tensors are called `name`.
    func norm(_ name: String, _ reader: inout ParameterReader) throws(MissingWeight) -> Norm {
        isRootMeanSquare
            ? .rms(try RMSNorm(name, width: width, epsilon: epsilon, &reader))
            : .layer(try LayerNorm(name, width: width, epsilon: epsilon, &reader))
    }

    /// The residual connection of a sublayer whose norm is called `name`.
    func residual(_ name: String, _ reader: inout ParameterReader) throws(MissingWeight) -> Residual {
        Residual(norm: try norm(name, &reader), placement: placement)
    }
}
