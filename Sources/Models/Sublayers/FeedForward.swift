import BitplanTensors
import PlanFormat

/// Two linear layers with a non-linearity between them, on top of their input; with a gate
/// `down(activation(gate(x)) * up(x))`, which is SwiGLU where the activation is SiLU.
///
/// - Source: Vaswani et al. 2017; Shazeer 2020 for gates; Wang et al. 2022 (SubLN) for the norm before the
///   outer layer.
struct FeedForward: Sublayer {
    /// Names and shape of a feed-forward.
    struct Shape: Sendable {
        /// The linear layers that see the input, the gate first where there are two.
        let inner: [String]
        /// The linear layer that gives the output.
        let outer: String
        /// Channels of the activations.
        let width: Int
        /// Channels between the linear layers.
        let innerWidth: Int
        let activation: ActivationFunction
        var hasBias = true
        /// The norm of what the outer layer sees, and its kind; nil where it has none.
        var innerNorm: (name: String, kind: Normalization)?
    }

    private let inner: [Linear]
    private let outer: Linear
    private let activation: ActivationFunction
    /// Normalizes what `outer` sees.
    private let innerNorm: Norm?
    private let residual: Residual
    private let stack: Stack

    /// Takes the linear layers that `shape` names, the norm called `norm` and, where the branch or a stack
    /// ends with a norm, those.
    init(
        _ shape: Shape, norm: String, branchNorm: String? = nil, last: String? = nil,
        _ normalization: Normalization, _ stack: Stack, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        var inner: [Linear] = []
        for name in shape.inner {
            inner.append(
                try Linear(
                    name, rows: shape.innerWidth, columns: shape.width, hasBias: shape.hasBias, &reader))
        }
        self.inner = inner
        outer = try Linear(
            shape.outer, rows: shape.width, columns: shape.innerWidth, hasBias: shape.hasBias, &reader)
        activation = shape.activation
        if let (name, kind) = shape.innerNorm {
            innerNorm = try kind.norm(name, &reader)
        } else {
            innerNorm = nil
        }
        residual = try normalization.residual(norm, branch: branchNorm, last: last, &reader)
        self.stack = stack
    }

    var work: SublayerWork {
        SublayerWork(
            products: stack.passes.flatMap { pass -> [SublayerWork.Product] in
                [.init(Array(inner.indices), pass, isActivated: true), .init([inner.count], pass)]
            })
    }

    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {
        residual.apply(&state[stack].hidden, observing: observing) { run($0, observing: observing) }
    }

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {
        residual.backward(&gradient[stack].hidden, tape, sink) {
            var hidden = outer.backward($0, tape, sink)
            innerNorm?.backward(&hidden, tape, sink)
            let lifted = inner.map { tape.kept($0.name) }
            guard let gated = lifted.dropFirst().first else {
                activation.backward(&hidden, at: lifted[0])
                return inner[0].backward(hidden, tape, sink)
            }
            var activated = lifted[0]
            activation.apply(&activated)
            activated.multiply(by: hidden)
            hidden.multiply(by: gated)
            activation.backward(&hidden, at: lifted[0])
            return Linear.together(inner, [hidden, activated], tape, sink)
        }
    }

    func step(
        _ x: inout Matrix, _ memory: inout [SequenceMemory], positions: [Int], scores: inout [Float]
    ) {
        guard stack != .encoder else { return }
        residual.apply(&x) { run($0) }
    }

    private func run(_ x: Matrix, observing: ForwardObserver? = nil) -> Matrix {
        var lifted = Linear.together(inner, x, observing: observing)
        if let observing { for (layer, y) in zip(inner, lifted) { observing.keep(layer.name, y) } }
        var hidden = lifted.removeFirst()
        activation.apply(&hidden)
        if let gated = lifted.first { hidden.multiply(by: gated) }
        innerNorm?.apply(&hidden, observing: observing)
        return outer(hidden, observing: observing)
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
