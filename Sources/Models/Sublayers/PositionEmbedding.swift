import BitplanKernels
import BitplanTensors
import PlanFormat

/// Adds learned positions, and types where a model tells texts apart, to a stack's tokens, then normalizes.
struct PositionEmbedding: Sublayer {
    private let positions: any LinearOperator
    private let positionsName: String
    /// The row of a sequence's first token.
    private let offset: Int
    private let types: (name: String, values: [Float])?
    private let norm: Norm
    private let stack: Stack

    /// Takes the matrix of positions, the rows of the types one after the other, and the norm.
    ///
    /// - Parameters:
    ///   - count: rows of the matrix.
    ///   - offset: rows before that of a sequence's first token.
    init(
        positions: String, count: Int, offset: Int = 0, types: (name: String, count: Int)? = nil,
        norm: String, _ normalization: Normalization, _ stack: Stack,
        _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        positionsName = positions
        self.offset = offset
        self.stack = stack
        self.positions = try reader.matrix(positions, rows: count, columns: normalization.width)
        if let types {
            self.types = (
                types.name, try reader.vector(types.name, count: types.count * normalization.width)
            )
        } else {
            self.types = nil
        }
        self.norm = try normalization.norm(norm, &reader)
    }

    var work: SublayerWork { SublayerWork(products: [], lookups: stack.passes) }

    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {
        let rows = rows(state)
        add(rows, types: state.types, to: &state[stack].hidden)
        norm.apply(&state[stack].hidden, observing: observing)
    }

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {
        norm.backward(&gradient[stack].hidden, tape, sink)
        let hidden = gradient[stack].hidden
        sink.lookup(positionsName, rows: rows(gradient), hidden)
        guard let types else { return }
        let width = hidden.columns
        var sums = [Float](repeating: 0, count: types.values.count)
        for (row, type) in gradient.types.enumerated() {
            for channel in 0..<width { sums[type * width + channel] += hidden[row, channel] }
        }
        sink.vector(types.name, sums)
    }

    /// The row of every token's position: those that the network gave its tokens, else their places in their
    /// sequences.
    private func rows(_ state: NetworkState) -> [Int] {
        guard state.places.isEmpty else { return state.places }
        let sequences = state[stack].sequences
        return (0..<sequences.count).flatMap { offset..<offset + sequences[$0].count }
    }

    func step(
        _ x: inout Matrix, _ memory: inout [SequenceMemory], positions: [Int], scores: inout [Float]
    ) {
        guard stack != .encoder else { return }
        add(positions.map { offset + $0 }, types: [], to: &x)
        norm.apply(&x)
    }

    /// Adds to every row of `x` the position at its row of the matrix, and its type where there are types.
    private func add(_ rows: [Int], types kinds: [Int], to x: inout Matrix) {
        let width = positions.columns
        var line = [Float](repeating: 0, count: width)
        x.storage.withUnsafeMutableBufferPointer { x in
            guard let x = x.baseAddress else { return }
            for (row, position) in rows.enumerated() {
                positions.copyRow(position, into: &line)
                if let types {
                    let first = kinds[row] * width
                    for channel in 0..<width { line[channel] += types.values[first + channel] }
                }
                BitplanKernels.add(line, to: x + row * width, count: width)
            }
        }
    }
}
