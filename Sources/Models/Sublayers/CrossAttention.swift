import BitplanTensors
import PlanFormat

/// Attention of the decoder over the encoder's activations, on top of its input; their keys and values are
/// made once.
struct CrossAttention: Sublayer {
    private let attention: Attention
    private let residual: Residual
    private let name: SublayerName

    /// Takes the linear layers called `names`, and the norm called `norm`.
    ///
    /// - Parameter name: under which a state may have the keys and values already.
    init(
        _ name: SublayerName, _ names: AttentionNames, _ shape: AttentionShape, norm: String,
        _ normalization: Normalization, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        attention = try Attention(names, shape, &reader)
        residual = try normalization.residual(norm, &reader)
        self.name = name
    }

    var work: SublayerWork {
        SublayerWork(
            products: [.init([1, 2], .read), .init([0], .step), .init([3], .step)],
            attentions: [
                .init(.step, over: .read, heads: attention.heads, width: attention.query.weight.rows)
            ])
    }

    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {
        let (encoder, sequences) = (state.encoder, state.decoder.sequences)
        let known = state.memories[name]
        residual.apply(&state.decoder.hidden, observing: observing) {
            attention(
                $0, sequences, over: encoder.hidden, encoder.sequences, known: known, observing: observing)
        }
    }

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {
        let (sources, sequences) = (gradient.encoder.sequences, gradient.decoder.sequences)
        var source: Matrix?
        residual.backward(&gradient.decoder.hidden, tape, sink) {
            let gradients = attention.backward($0, sequences, over: sources, tape, sink)
            source = gradients.source
            return gradients.input
        }
        if let source { gradient.encoder.hidden.add(source) }
    }

    func memory(before state: NetworkState) -> [SequenceMemory] {
        let read = attention.memory(of: state.encoder.hidden)
        return (0..<state.encoder.sequences.count).map {
            SequenceMemory(
                history: KeyValueHistory(
                    keys: read.keys, values: read.values, rows: state.encoder.sequences[$0],
                    heads: attention.keyHeads))
        }
    }

    func step(
        _ x: inout Matrix, _ memory: inout [SequenceMemory], positions: [Int], scores: inout [Float]
    ) {
        residual.apply(&x) { attention.read(memory, attention.query($0), scores: &scores) }
    }

    /// The state with the keys and values of its encoder's activations, for all networks that change only
    /// behind them.
    func remember(in state: inout NetworkState) {
        state.memories[name] = attention.memory(of: state.encoder.hidden)
    }
}
