import BitplanKernels
import BitplanTensors
import PlanFormat

/// A recurrent sublayer of a decoder in the place of self-attention, on top of its input: an SSRU cell.
///
/// With `u_t = W x_t` and `f_t = sigmoid(F x_t + b)` the cell is `c_t = f_t c_(t-1) + (1 - f_t) u_t` with
/// `c_(-1) = 0`, channel by channel, and the branch is `relu(c_t)`. A step needs the last cell alone,
/// whatever the length of the sequence.
/// - Source: Kim et al. 2019, "From Research to Production and Back: Ludicrously Fast Neural Machine
///   Translation" (the simpler simple recurrent unit), after Lei et al. 2018.
struct SimpleRecurrence: Sublayer {
    private let candidate: Linear
    private let forget: Linear
    private let residual: Residual

    /// Takes the linear layers `<name>.candidate`, without a bias, and `<name>.forget`, and the norm called
    /// `norm`.
    init(
        _ name: String, width: Int, norm: String, _ normalization: Normalization,
        _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        candidate = try Linear(
            name + ".candidate", rows: width, columns: width, hasBias: false, &reader)
        forget = try Linear(name + ".forget", rows: width, columns: width, &reader)
        residual = try normalization.residual(norm, &reader)
    }

    var work: SublayerWork { SublayerWork(products: [.init([0, 1], .step, isActivated: true)]) }

    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {
        let sequences = state.decoder.sequences
        residual.apply(&state.decoder.hidden, observing: observing) { x in
            var (candidates, gates) = products(x, observing: observing)
            observing?.keep(candidate.name, candidates)
            observing?.keep(forget.name, gates)
            Self.recur(&candidates, gates, sequences)
            relu(&candidates)
            return candidates
        }
    }

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {
        let sequences = gradient.decoder.sequences
        let (candidates, gates) = (tape.kept(candidate.name), tape.kept(forget.name))
        residual.backward(&gradient.decoder.hidden, tape, sink) { gradient in
            var cells = candidates
            Self.recur(&cells, gates, sequences)
            var (candidateGradient, gateGradient) = (gradient, gradient)
            Self.recurBackward(&candidateGradient, &gateGradient, candidates, gates, cells, sequences)
            return Linear.together(
                [candidate, forget], [candidateGradient, gateGradient], tape, sink)
        }
    }

    func memory(before state: NetworkState) -> [SequenceMemory] {
        let zeros = [Float](repeating: 0, count: candidate.weight.rows)
        return (0..<state.decoder.sequences.count).map { _ in SequenceMemory(cell: zeros) }
    }

    func step(
        _ x: inout Matrix, _ memory: inout [SequenceMemory], positions: [Int], scores: inout [Float]
    ) {
        residual.apply(&x) { x in
            var (cells, gates) = products(x, observing: nil)
            let width = cells.columns
            cells.storage.withUnsafeMutableBufferPointer { cells in
                gates.storage.withUnsafeBufferPointer { gates in
                    guard let cells = cells.baseAddress, let gates = gates.baseAddress else { return }
                    for row in memory.indices {
                        let cell = cells + row * width
                        memory[row].cell.withUnsafeMutableBufferPointer { past in
                            guard let past = past.baseAddress else { return }
                            Self.mix(cell, gates + row * width, past, count: width)
                            past.update(from: cell, count: width)
                        }
                    }
                }
            }
            relu(&cells)
            return cells
        }
    }

    /// `u` and `f` of every row.
    private func products(_ x: Matrix, observing: ForwardObserver?) -> (candidates: Matrix, gates: Matrix) {
        let products = Linear.together([candidate, forget], x, observing: observing)
        var gates = products[1]
        gates.storage.withUnsafeMutableBufferPointer { values in
            guard let values = values.baseAddress else { return }
            sigmoid(values, count: gates.rows * gates.columns)
        }
        return (products[0], gates)
    }

    /// `u[i] = f[i] c[i] + (1 - f[i]) u[i]`: the cell behind `c`, in the place of the candidate.
    private static func mix(
        _ u: UnsafeMutablePointer<Float>, _ f: UnsafePointer<Float>, _ c: UnsafePointer<Float>, count: Int
    ) {
        for i in 0..<count { u[i] = f[i] * c[i] + (1 - f[i]) * u[i] }
    }

    /// Takes the candidates of every sequence to its cells, in place.
    private static func recur(_ x: inout Matrix, _ gates: Matrix, _ sequences: SequenceOffsets) {
        let width = x.columns
        let zeros = [Float](repeating: 0, count: width)
        x.storage.withUnsafeMutableBufferPointer { x in
            gates.storage.withUnsafeBufferPointer { gates in
                guard let x = x.baseAddress, let gates = gates.baseAddress else { return }
                for sequence in 0..<sequences.count {
                    let rows = sequences[sequence]
                    for row in rows {
                        let own = x + row * width
                        if row == rows.lowerBound {
                            mix(own, gates + row * width, zeros, count: width)
                        } else {
                            mix(own, gates + row * width, own - width, count: width)
                        }
                    }
                }
            }
        }
    }

    /// Takes the gradient of `relu(c)`, given twice, to those of the candidates and of the gates' arguments.
    ///
    /// From the last token on: `dc_t = [c_t > 0] dh_t + f_(t+1) dc_(t+1)`, `du_t = (1 - f_t) dc_t` and
    /// `dz_t = f_t (1 - f_t) (c_(t-1) - u_t) dc_t`.
    private static func recurBackward(
        _ du: inout Matrix, _ dz: inout Matrix, _ candidates: Matrix, _ gates: Matrix, _ cells: Matrix,
        _ sequences: SequenceOffsets
    ) {
        let width = candidates.columns
        for sequence in 0..<sequences.count {
            let rows = sequences[sequence]
            var carried = [Float](repeating: 0, count: width)
            for row in rows.reversed() {
                for channel in 0..<width {
                    let (f, u) = (gates[row, channel], candidates[row, channel])
                    let past = row == rows.lowerBound ? 0 : cells[row - 1, channel]
                    let dc = (cells[row, channel] > 0 ? du[row, channel] : 0) + carried[channel]
                    carried[channel] = f * dc
                    du[row, channel] = (1 - f) * dc
                    dz[row, channel] = f * (1 - f) * (past - u) * dc
                }
            }
        }
    }

    private func relu(_ x: inout Matrix) { ActivationFunction.relu.apply(&x) }
}
