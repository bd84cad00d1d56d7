import BitplanTensors
import PlanFormat

/// Attention of every sequence of a stack over itself, on top of its input.
struct SelfAttention: Sublayer {
    private let attention: Attention
    private let residual: Residual
    private let stack: Stack
    /// Whether keys and values see the sublayer's input as it is, before the norm.
    private let keysSeeInput: Bool

    /// Takes the linear layers called `names`, the norm called `norm` and, where the branch ends with one,
    /// that norm.
    init(
        _ names: AttentionNames, _ shape: AttentionShape, norm: String, branchNorm: String? = nil,
        _ normalization: Normalization, keysSeeInput: Bool = false, _ stack: Stack,
        _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        self.keysSeeInput = keysSeeInput
        attention = try Attention(names, shape, &reader)
        residual = try normalization.residual(norm, branch: branchNorm, &reader)
        self.stack = stack
    }

    var work: SublayerWork {
        stack.passes.map { pass in
            SublayerWork(
                products: [.init([0, 1, 2], pass), .init([3], pass)],
                attentions: [
                    .init(
                        pass, over: stack.keys(in: pass), heads: attention.heads,
                        width: attention.query.weight.rows, window: attention.window)
                ])
        }.reduce(SublayerWork(products: [])) { $0.adding($1) }
    }

    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {
        let sequences = state[stack].sequences
        let source = keysSeeInput ? state[stack].hidden : nil
        residual.apply(&state[stack].hidden, observing: observing) {
            attention($0, keysOf: source, sequences, causal: stack.isCausal, observing: observing)
        }
    }

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {
        let sequences = gradient[stack].sequences
        var source: Matrix?
        residual.backward(&gradient[stack].hidden, tape, sink) {
            let gradients = attention.backward(
                $0, sequences, causal: stack.isCausal, splitsSource: keysSeeInput, tape, sink)
            source = gradients.source
            return gradients.input
        }
        if let source { gradient[stack].hidden.add(source) }
    }

    func read(_ state: inout NetworkState, into memory: inout [SequenceMemory]) {
        let sequences = state[stack].sequences
        let source = keysSeeInput ? state[stack].hidden : nil
        residual.apply(&state[stack].hidden) {
            attention($0, keysOf: source, sequences, causal: stack.isCausal, observing: nil) { keys, values in
                for (sequence, row) in memory.indices.flatMap({ i in sequences[i].map { (i, $0) } }) {
                    memory[sequence].history.append(
                        keys: keys, values: values, row: row, heads: attention.keyHeads)
                }
            }
        }
    }

    func memory(before state: NetworkState) -> [SequenceMemory] {
        stack == .encoder ? [] : (0..<state[stack].sequences.count).map { _ in SequenceMemory() }
    }

    func step(
        _ x: inout Matrix, _ memory: inout [SequenceMemory], positions: [Int], scores: inout [Float]
    ) {
        guard stack != .encoder else { return }
        let source = keysSeeInput ? x : nil
        residual.apply(&x) { x in
            var projections = attention.projections(x, keysOf: source)
            for row in 0..<x.rows {
                attention.rotary?.apply(to: &projections[0], row: row, position: positions[row])
                attention.rotary?.apply(to: &projections[1], row: row, position: positions[row])
                memory[row].history.append(
                    keys: projections[1], values: projections[2], row: row, heads: attention.keyHeads)
            }
            return attention.read(memory, projections[0], scores: &scores)
        }
    }
}
