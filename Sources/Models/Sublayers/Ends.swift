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

    func forward(_ state: inout NetworkState, observing: ProductObserver?) {
        let firsts = state.encoder.hidden.gathering(rows: state.encoder.sequences.starts.dropLast())
        var pooled = linear(firsts, observing: observing)
        pooled.storage.withUnsafeMutableBufferPointer { values in
            guard let base = values.baseAddress else { return }
            hyperbolicTangent(base, count: values.count)
        }
        state.encoder.hidden = pooled
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
