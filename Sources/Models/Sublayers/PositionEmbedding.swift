import BitplanKernels
import BitplanTensors
import PlanFormat

/// Adds learned positions and types to an encoder's tokens, then normalizes.
struct PositionEmbedding: Sublayer {
    private let positions: any LinearOperator
    private let positionsName: String
    private let types: [Float]
    private let typesName: String
    private let norm: Norm

    /// Takes the matrix of positions, the rows of the types one after the other, and the norm.
    init(
        positions: String, count: Int, types: String, typeCount: Int, norm: String,
        _ normalization: Normalization, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        positionsName = positions
        typesName = types
        self.positions = try reader.matrix(positions, rows: count, columns: normalization.width)
        self.types = try reader.vector(types, count: typeCount * normalization.width)
        self.norm = try normalization.norm(norm, &reader)
    }

    var work: SublayerWork { SublayerWork(products: [], lookups: [.read]) }

    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {
        let width = positions.columns
        var line = [Float](repeating: 0, count: width)
        let (sequences, tokenTypes) = (state.encoder.sequences, state.types)
        state.encoder.hidden.storage.withUnsafeMutableBufferPointer { hidden in
            for sequence in 0..<sequences.count {
                for (position, row) in sequences[sequence].enumerated() {
                    positions.copyRow(position, into: &line)
                    for channel in 0..<width {
                        hidden[row * width + channel] +=
                            types[tokenTypes[row] * width + channel] + line[channel]
                    }
                }
            }
        }
        norm.apply(&state.encoder.hidden, observing: observing)
    }

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {
        norm.backward(&gradient.encoder.hidden, tape, sink)
        let (hidden, sequences) = (gradient.encoder.hidden, gradient.encoder.sequences)
        sink.lookup(
            positionsName, rows: (0..<sequences.count).flatMap { 0..<sequences[$0].count }, hidden)
        let width = hidden.columns
        var sums = [Float](repeating: 0, count: types.count)
        for (row, type) in gradient.types.enumerated() {
            for channel in 0..<width { sums[type * width + channel] += hidden[row, channel] }
        }
        sink.vector(typesName, sums)
    }
}
