import BitplanTensors

/// Normalizes every row of activations.
enum Norm: Sendable {
    case layer(LayerNorm)
    case rms(RMSNorm)

    /// The name of its tensors.
    private var name: String {
        switch self {
        case .layer(let norm): norm.name
        case .rms(let norm): norm.name
        }
    }

    /// Normalizes every row of `x` in place.
    func apply(_ x: inout Matrix, observing: ForwardObserver? = nil) {
        observing?.norm(name, input: x)
        switch self {
        case .layer(let norm): norm.apply(&x)
        case .rms(let norm): norm.apply(&x)
        }
    }

    /// Every row of `x`, normalized.
    func callAsFunction(_ x: Matrix, observing: ForwardObserver? = nil) -> Matrix {
        var y = x
        apply(&y, observing: observing)
        return y
    }

    /// Takes the gradient of the output to that of the input, in place.
    func backward(_ gradient: inout Matrix, _ tape: Tape, _ sink: any GradientSink) {
        let x = tape.input(name)
        switch self {
        case .layer(let norm): norm.backward(&gradient, input: x, sink)
        case .rms(let norm): norm.backward(&gradient, input: x, sink)
        }
    }
}

/// Adds a sublayer's branch to its input, normalized before or after: `x + f(norm(x))` or `norm(x + f(x))`;
/// in some models the branch ends with a norm of its own.
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
    /// Normalizes what the branch gives, before it is added.
    var branchNorm: Norm?
    /// A further norm of the sum: where it is a stack's last, some models end the stack with one.
    var last: Norm?

    /// Adds what `branch` makes of `x`.
    func apply(_ x: inout Matrix, observing: ForwardObserver? = nil, _ branch: (Matrix) -> Matrix) {
        var inner = branch(placement == .before ? norm(x, observing: observing) : x)
        branchNorm?.apply(&inner, observing: observing)
        x.add(inner)
        if placement == .after { norm.apply(&x, observing: observing) }
        last?.apply(&x, observing: observing)
    }

    /// Takes the gradient of the output to that of the input, in place; `branch` does so for what it adds.
    func backward(
        _ gradient: inout Matrix, _ tape: Tape, _ sink: any GradientSink, _ branch: (Matrix) -> Matrix
    ) {
        last?.backward(&gradient, tape, sink)
        if placement == .after { norm.backward(&gradient, tape, sink) }
        var inner = gradient
        branchNorm?.backward(&inner, tape, sink)
        inner = branch(inner)
        if placement == .before { norm.backward(&inner, tape, sink) }
        gradient.add(inner)
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
    /// What is added to the weights of root mean squares.
    var offset: Float = 0

    /// LayerNorms behind every sublayer.
    static func post(width: Int, epsilon: Float) -> Normalization {
        Normalization(width: width, epsilon: epsilon, placement: .after, isRootMeanSquare: false)
    }

    /// LayerNorms before every sublayer.
    static func pre(width: Int, epsilon: Float) -> Normalization {
        Normalization(width: width, epsilon: epsilon, placement: .before, isRootMeanSquare: false)
    }

    /// RMSNorms before every sublayer.
    static func preRootMeanSquare(width: Int, epsilon: Float, offset: Float = 0) -> Normalization {
        Normalization(
            width: width, epsilon: epsilon, placement: .before, isRootMeanSquare: true, offset: offset)
    }

    /// The norm whose tensors are called `name`.
    func norm(_ name: String, _ reader: inout ParameterReader) throws(MissingWeight) -> Norm {
        isRootMeanSquare
            ? .rms(try RMSNorm(name, width: width, epsilon: epsilon, offset: offset, &reader))
            : .layer(try LayerNorm(name, width: width, epsilon: epsilon, &reader))
    }

    /// The residual connection of a sublayer whose norm is called `name`, with a norm of the branch and a
    /// further norm of the sum where they are named.
    func residual(
        _ name: String, branch: String? = nil, last: String? = nil, _ reader: inout ParameterReader
    ) throws(MissingWeight) -> Residual {
        var residual = Residual(norm: try norm(name, &reader), placement: placement)
        if let branch { residual.branchNorm = try norm(branch, &reader) }
        if let last { residual.last = try norm(last, &reader) }
        return residual
    }
}
