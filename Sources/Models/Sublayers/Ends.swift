import BitplanKernels
import BitplanTensors
import PlanFormat

/// Makes one state of every sequence: a linear layer over its first token's, and a non-linearity.
struct Pooler: Sublayer {
    private let linear: Linear
    private let activation: ActivationFunction

    /// Takes the linear layer called `name`.
    init(
        _ name: String, width: Int, activation: ActivationFunction, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        linear = try Linear(name, rows: width, columns: width, &reader)
        self.activation = activation
    }

    var work: SublayerWork { SublayerWork(products: [.init([0], .predict)]) }

    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {
        let firsts = state.encoder.hidden.gathering(rows: state.encoder.sequences.starts.dropLast())
        var pooled = linear(firsts, observing: observing)
        // The tangent's slope follows from its value, that of others from their argument.
        if activation != .tanh { observing?.keep(linear.name, pooled) }
        activation.apply(&pooled)
        if activation == .tanh { observing?.keep(linear.name, pooled) }
        state.encoder.hidden = pooled
    }

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {
        activation.backward(&gradient.encoder.hidden, at: tape.kept(linear.name))
        gradient.encoder.hidden = linear.backward(gradient.encoder.hidden, tape, sink)
            .scattered(to: gradient.encoder.sequences.starts.dropLast(), of: gradient.encoder.sequences.rows)
    }
}

/// Scores classes or tokens: the network's last product, which its `logits` runs, or the last sublayer does
/// where the scores are not those of one distribution.
struct OutputProjection: Sublayer {
    let linear: Linear
    /// Whether the sublayer runs the product.
    private let isInChain: Bool

    /// Takes the linear layer called `name`.
    init(
        _ name: String, rows: Int, columns: Int, hasBias: Bool, isInChain: Bool = false,
        _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        linear = try Linear(name, rows: rows, columns: columns, hasBias: hasBias, &reader)
        self.isInChain = isInChain
    }

    var work: SublayerWork { SublayerWork(products: [.init([0], .predict)]) }

    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {
        if isInChain { state.encoder.hidden = linear(state.encoder.hidden, observing: observing) }
    }

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {
        if isInChain {
            gradient.encoder.hidden = linear.backward(gradient.encoder.hidden, tape, sink)
        }
    }
}

/// A linear layer from the width of an encoder's embeddings to that of its layers.
///
/// - Source: Clark et al. 2020 (ELECTRA).
struct EmbeddingProjection: Sublayer {
    private let linear: Linear

    /// Takes the linear layer called `name`.
    init(
        _ name: String, from embeddingWidth: Int, to width: Int, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        linear = try Linear(name, rows: width, columns: embeddingWidth, &reader)
    }

    var work: SublayerWork { SublayerWork(products: [.init([0], .read)]) }

    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {
        state.encoder.hidden = linear(state.encoder.hidden, observing: observing)
    }

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {
        gradient.encoder.hidden = linear.backward(gradient.encoder.hidden, tape, sink)
    }
}
