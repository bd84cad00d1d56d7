import BitplanKernels
import BitplanTensors
import PlanFormat

/// Adds learned positions and, where there are some, types to an encoder's tokens, then normalizes.
struct PositionEmbedding: Sublayer {
    private let positions: any LinearOperator
    private let positionsName: String
    /// Empty where there are no types.
    private let types: [Float]
    private let typesName: String?
    private let norm: Norm

    /// Takes the matrix of positions, the rows of the types one after the other where they have a name, and
    /// the norm.
    init(
        positions: String, count: Int, types: String?, typeCount: Int, norm: String,
        _ normalization: Normalization, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        positionsName = positions
        typesName = types
        self.positions = try reader.matrix(positions, rows: count, columns: normalization.width)
        self.types =
            if let types { try reader.vector(types, count: typeCount * normalization.width) } else { [] }
        self.norm = try normalization.norm(norm, &reader)
    }

    var work: SublayerWork { SublayerWork(products: [], lookups: [.read]) }

    func forward(_ state: inout NetworkState, observing: ForwardObserver?) {
        let width = positions.columns
        var line = [Float](repeating: 0, count: width)
        let (places, tokenTypes) = (state.places, state.types)
        state.encoder.hidden.storage.withUnsafeMutableBufferPointer { hidden in
            for (row, place) in places.enumerated() {
                positions.copyRow(place, into: &line)
                for channel in 0..<width {
                    let type = types.isEmpty ? 0 : types[tokenTypes[row] * width + channel]
                    hidden[row * width + channel] += type + line[channel]
                }
            }
        }
        norm.apply(&state.encoder.hidden, observing: observing)
    }

    func backward(_ gradient: inout NetworkState, _ tape: Tape, _ sink: any GradientSink) {
        norm.backward(&gradient.encoder.hidden, tape, sink)
        let hidden = gradient.encoder.hidden
        sink.lookup(positionsName, rows: gradient.places, hidden)
        guard let typesName else { return }
        let width = hidden.columns
        var sums = [Float](repeating: 0, count: types.count)
        for (row, type) in gradient.types.enumerated() {
            for channel in 0..<width { sums[type * width + channel] += hidden[row, channel] }
        }
        sink.vector(typesName, sums)
    }
}
