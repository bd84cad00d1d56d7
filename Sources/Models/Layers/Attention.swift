import Kernels
import PlanFormat
import Tensors

/// Where the sequences of a batch lie: tokens of all sequences stand one after the other, without padding.
public struct SequenceOffsets: Sendable, Equatable {
    /// `starts[i] ..< starts[i + 1]` are the rows of sequence i.
    public let starts: [Int]

    /// Sequences of these lengths.
    public init(lengths: [Int]) {
        starts = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    }

    /// The number of sequences.
    public var count: Int { starts.count - 1 }

    /// The number of rows of all sequences.
    public var rows: Int { starts[count] }

    /// The rows of sequence `index`.
    public subscript(index: Int) -> Range<Int> { starts[index]..<starts[index + 1] }
}

/// Multi-head attention: projections `q`, `k`, `v`, `out` and scaled dot products between them.
struct Attention: Sendable {
    let query: Linear
    let key: Linear
    let value: Linear
    let output: Linear
    let heads: Int

    /// Takes `<name>.q_proj`, `.k_proj`, `.v_proj` and `.out_proj`.
    init(_ name: String, heads: Int, _ weights: WeightTable) throws(MissingWeight) {
        query = try Linear(name + ".q_proj", weights)
        key = try Linear(name + ".k_proj", weights)
        value = try Linear(name + ".v_proj", weights)
        output = try Linear(name + ".out_proj", weights)
        self.heads = heads
    }

    /// The matrices of an attention called `name`, for a layout.
    static func shapes(_ name: String, width: Int) -> [MatrixShape] {
        ["q_proj", "k_proj", "v_proj", "out_proj"].map {
            MatrixShape(tensor: "\(name).\($0).weight", rows: width, columns: width)
        }
    }

    /// Attention of every sequence of `x` over the same sequence of `source`.
    ///
    /// - Shapes: `x` (rows of `offsets`, width), `source` (rows of `sourceOffsets`, width).
    func callAsFunction(
        _ x: Matrix, _ offsets: SequenceOffsets, over source: Matrix, _ sourceOffsets: SequenceOffsets,
        causal: Bool, observing: ((String, Matrix) -> Void)?
    ) -> Matrix {
        let queries = query(x, observing: observing)
        let keys = key(source, observing: observing)
        let values = value(source, observing: observing)
        var context = Matrix(rows: x.rows, columns: x.columns)
        let width = x.columns
        var scores = [Float](
            repeating: 0, count: (0..<sourceOffsets.count).map { sourceOffsets[$0].count }.max() ?? 0)
        context.storage.withUnsafeMutableBufferPointer { c in
            queries.storage.withUnsafeBufferPointer { q in
                keys.storage.withUnsafeBufferPointer { k in
                    values.storage.withUnsafeBufferPointer { v in
                        guard let c = c.baseAddress, let q = q.baseAddress, let k = k.baseAddress,
                            let v = v.baseAddress
                        else { return }
                        for sequence in 0..<offsets.count {
                            let span = sourceOffsets[sequence]
                            for (position, row) in offsets[sequence].enumerated() {
                                attend(
                                    query: q + row * width, keys: k + span.lowerBound * width,
                                    values: v + span.lowerBound * width,
                                    count: causal ? position + 1 : span.count,
                                    width: width, scores: &scores, into: c + row * width)
                            }
                        }
                    }
                }
            }
        }
        return output(context, observing: observing)
    }

    /// Attention of one query over `count` keys and values; `scores` has room for `count` numbers.
    ///
    /// - Shapes: `query` and `context` (width), `keys` and `values` (count, width).
    func attend(
        query: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, count: Int,
        width: Int, scores: UnsafeMutablePointer<Float>, into context: UnsafeMutablePointer<Float>
    ) {
        let size = width / heads
        let scale = 1 / Float(size).squareRoot()
        for first in stride(from: 0, to: width, by: size) {
            dotRows(
                query + first, keys + first, stride: width, count: count, dimension: size, scale: scale,
                into: scores)
            softmax(scores, count: count)
            combineRows(
                scores, values + first, stride: width, count: count, dimension: size, into: context + first)
        }
    }
}
