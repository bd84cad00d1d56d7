import BitplanKernels
import BitplanTensors
import PlanFormat

/// The matrix whose rows are tokens; where the output projection is tied to it, scores are products with it
/// too.
struct TokenEmbedding: Sublayer {
    /// In the place of a token: nothing, whose embedding is zeros, a position added where there are
    /// positions.
    static let nothing = -1

    let name: String
    let matrix: any LinearOperator
    let work: SublayerWork
    /// What embeddings are multiplied by.
    private let scale: Float
    /// Positions that are added; nil where they come later or otherwise.
    private let positions: Sinusoids?

    /// Takes the matrix called `name`.
    ///
    /// - Parameters:
    ///   - lookups: when tokens are looked up.
    ///   - isTied: whether the output projection is a product with the same matrix.
    init(
        _ name: String, rows: Int, width: Int, scale: Float = 1, positions: Sinusoids? = nil,
        lookups: [Pass], isTied: Bool, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        self.name = name
        matrix = try reader.matrix(name, rows: rows, columns: width)
        self.scale = scale
        self.positions = positions
        work = SublayerWork(products: isTied ? [.init([0], .predict)] : [], lookups: lookups)
    }

    /// Embeddings of token sequences, positions counted from the start of each.
    ///
    /// - Shapes: (tokens of all sequences, width).
    func callAsFunction(_ sequences: [some Collection<Int>]) -> NetworkState.Stream {
        let offsets = SequenceOffsets(lengths: sequences.map(\.count))
        let places = (0..<offsets.count).flatMap { 0..<offsets[$0].count }
        return NetworkState.Stream(embed(sequences.flatMap { $0 }, at: places), offsets)
    }

    /// Hands on the gradients of embeddings of token sequences.
    func backward(_ sequences: [some Collection<Int>], _ gradient: Matrix, _ sink: any GradientSink) {
        let tokens = sequences.flatMap { $0 }
        let places = tokens.indices.filter { tokens[$0] != Self.nothing }
        var scaled = places.count == tokens.count ? gradient : gradient.gathering(rows: places)
        if scale != 1 { for index in scaled.storage.indices { scaled.storage[index] *= scale } }
        sink.lookup(name, rows: places.map { tokens[$0] }, scaled)
    }

    /// Embeddings of tokens that stand at `places` in their sequences, a row each.
    func embed(_ tokens: [Int], at places: [Int]) -> Matrix {
        let width = matrix.columns
        var x = Matrix(rows: tokens.count, columns: width)
        x.storage.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for (row, token) in tokens.enumerated() {
                let line = base + row * width
                if token != Self.nothing { matrix.copyRow(token, into: line) }
                if let positions {
                    for channel in 0..<width {
                        line[channel] = line[channel] * scale + positions.value(places[row], channel)
                    }
                } else if scale != 1 {
                    for channel in 0..<width { line[channel] *= scale }
                }
            }
        }
        return x
    }
}
