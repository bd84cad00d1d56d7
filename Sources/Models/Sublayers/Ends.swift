import BitplanKernels
import BitplanTensors
import PlanFormat

/// Makes one state of every sequence: a linear layer over its first token's, and a hyperbolic tangent.
struct Pooler: Sublayer {
    private let linear: Linear

    /// Takes the linear layer called `name`.
    init(_ name: String, width: Int, _ reader: inout ParameterReader) throws(MissingWeight) {
        linear = try Linear(name, rows: width, columns: width, &reader)
    }

    var work: SublayerWork { SublayerWork(products: [.init([0], .predict)]) }

    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {
        let firsts = state.encoder.hidden.gathering(rows: state.encoder.sequences.starts.dropLast())
        var pooled = linear(firsts, observing: observing)
        pooled.storage.withUnsafeMutableBufferPointer { values in
            guard let base = values.baseAddress else { return }
            hyperbolicTangent(base, count: values.count)
        }
        observing?.keep(linear.name, pooled)
        state.encoder.hidden = pooled
    }

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {
        let pooled = tape.kept(linear.name)
        gradient.encoder.hidden.forEachRow(beside: pooled) {
            functionGradient(.tanh, $0, count: pooled.columns, $1)
        }
        gradient.encoder.hidden = linear.backward(gradient.encoder.hidden, tape, sink)
            .scattered(to: gradient.encoder.sequences.starts.dropLast(), of: gradient.encoder.sequences.rows)
    }
}

/// Scores classes or tokens: the network's last product, which its `logits` runs.
struct OutputProjection: Sublayer {
    let linear: Linear

    /// Takes the linear layer called `name`.
    init(
        _ name: String, rows: Int, columns: Int, hasBias: Bool, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        linear = try Linear(name, rows: rows, columns: columns, hasBias: hasBias, &reader)
    }

    var work: SublayerWork { SublayerWork(products: [.init([0], .predict)]) }
}
