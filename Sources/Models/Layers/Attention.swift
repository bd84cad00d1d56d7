import BitplanKernels
import BitplanTensors
import PlanFormat

/// The names of an attention's four linear layers, as a family's checkpoints have them.
struct AttentionNames {
    let query: String
    let key: String
    let value: String
    let output: String

    /// `<name>.q_proj`, `.k_proj`, `.v_proj` and an output projection, `.out_proj` where it has no other
    /// name.
    init(_ name: String, output: String = "out_proj") {
        query = name + ".q_proj"
        key = name + ".k_proj"
        value = name + ".v_proj"
        self.output = "\(name).\(output)"
    }

    /// Layers of these names.
    init(query: String, key: String, value: String, output: String) {
        self.query = query
        self.key = key
        self.value = value
        self.output = output
    }
}

/// The shape of an attention.
struct AttentionShape: Sendable {
    /// Channels of the activations.
    let width: Int
    /// Heads of the queries.
    let heads: Int
    /// Heads of keys and values.
    let keyHeads: Int
    /// Channels of a head.
    let headSize: Int
    /// Whether the linear layers have biases.
    let hasBias: Bool
    /// Turns queries and keys by their positions; nil where positions come with the embeddings.
    let rotary: RotaryPositions?

    /// Heads that share the channels of the activations, as many for keys as for queries, with biases.
    init(width: Int, heads: Int) {
        self.init(width: width, heads: heads, keyHeads: heads, headSize: width / heads, hasBias: true)
    }

    /// An attention of these heads.
    init(
        width: Int, heads: Int, keyHeads: Int, headSize: Int, hasBias: Bool, rotary: RotaryPositions? = nil
    ) {
        self.width = width
        self.heads = heads
        self.keyHeads = keyHeads
        self.headSize = headSize
        self.hasBias = hasBias
        self.rotary = rotary
    }
}

/// Multi-head attention: projections to queries, keys, values and output, and scaled dot products between
/// them.
///
/// With fewer key heads than query heads (grouped-query attention), query head i reads key head `i * keyHeads
/// / heads`.
/// - Source: Vaswani et al. 2017; Ainslie et al. 2023 for groups.
struct Attention: Sendable {
    let query: Linear
    let key: Linear
    let value: Linear
    let output: Linear
    let heads: Int
    let keyHeads: Int
    /// Turns queries and keys by their positions; nil where positions come with the embeddings.
    let rotary: RotaryPositions?

    /// Takes the four linear layers called `names`.
    init(
        _ names: AttentionNames, _ shape: AttentionShape, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        let inner = shape.heads * shape.headSize
        let keyWidth = shape.keyHeads * shape.headSize
        func linear(
            _ name: String, _ rows: Int, _ columns: Int, _ reader: inout ParameterReader
        ) throws(MissingWeight) -> Linear {
            try Linear(name, rows: rows, columns: columns, hasBias: shape.hasBias, &reader)
        }
        query = try linear(names.query, inner, shape.width, &reader)
        key = try linear(names.key, keyWidth, shape.width, &reader)
        value = try linear(names.value, keyWidth, shape.width, &reader)
        output = try linear(names.output, shape.width, inner, &reader)
        heads = shape.heads
        keyHeads = shape.keyHeads
        rotary = shape.rotary
    }

    /// Attention of every sequence of `x` over itself.
    ///
    /// - Shapes: `x` (rows of `offsets`, width).
    /// - Parameter remember: called with the keys and values, turned by their positions.
    func callAsFunction(
        _ x: Matrix, _ offsets: SequenceOffsets, causal: Bool, observing: ProductObserver?,
        remember: (Matrix, Matrix) -> Void = { _, _ in }
    ) -> Matrix {
        var projections = Linear.together([query, key, value], x, observing: observing)
        if let rotary {
            rotary.apply(to: &projections[0], offsets)
            rotary.apply(to: &projections[1], offsets)
        }
        remember(projections[1], projections[2])
        let context = contexts(
            projections[0], offsets, over: projections[1], projections[2], offsets, causal: causal)
        return output(context, observing: observing)
    }

    /// Attention of every sequence of `x` over the same sequence of `source`; positions play no part.
    ///
    /// - Shapes: `x` (rows of `offsets`, width), `source` (rows of `sourceOffsets`, width).
    /// - Parameter known: what some attention reads of `source`; used where it has these weights and no
    ///   observer has to see the products.
    func callAsFunction(
        _ x: Matrix, _ offsets: SequenceOffsets, over source: Matrix, _ sourceOffsets: SequenceOffsets,
        known: Memory? = nil, observing: ProductObserver?
    ) -> Matrix {
        let queries = query(x, observing: observing)
        let memory =
            known.flatMap { observing == nil && $0.isOf(self) ? $0 : nil }
            ?? memory(of: source, observing: observing)
        let context = contexts(
            queries, offsets, over: memory.keys, memory.values, sourceOffsets, causal: false)
        return output(context, observing: observing)
    }

    /// What an attention reads of a source, and the weights it does that with.
    struct Memory: Sendable {
        let keys: Matrix
        let values: Matrix
        private let weights: [any LinearOperator]

        fileprivate init(_ keys: Matrix, _ values: Matrix, weights: [any LinearOperator]) {
            self.keys = keys
            self.values = values
            self.weights = weights
        }

        func isOf(_ attention: Attention) -> Bool {
            zip(weights, [attention.key.weight, attention.value.weight]).allSatisfy { $0.isSame(as: $1) }
        }
    }

    /// The keys and values of a source.
    func memory(of source: Matrix, observing: ProductObserver? = nil) -> Memory {
        let read = Linear.together([key, value], source, observing: observing)
        return Memory(read[0], read[1], weights: [key.weight, value.weight])
    }

    /// What every query reads from the keys and values of its sequence.
    ///
    /// - Shapes: `queries` (rows of `offsets`, heads * size), `keys` and `values` (rows of `sourceOffsets`,
    ///   keyHeads * size).
    func contexts(
        _ queries: Matrix, _ offsets: SequenceOffsets, over keys: Matrix, _ values: Matrix,
        _ sourceOffsets: SequenceOffsets, causal: Bool
    ) -> Matrix {
        var context = Matrix(rows: queries.rows, columns: queries.columns)
        let (width, keyWidth) = (queries.columns, keys.columns)
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
                                    query: q + row * width, keys: k + span.lowerBound * keyWidth,
                                    values: v + span.lowerBound * keyWidth,
                                    count: causal ? position + 1 : span.count,
                                    width: width, scores: &scores, into: c + row * width)
                            }
                        }
                    }
                }
            }
        }
        return context
    }

    /// Attention of one query over `count` keys and values; `scores` has room for `count` numbers.
    ///
    /// - Shapes: `query` and `context` (width), `keys` and `values` (count, width * keyHeads / heads).
    private func attend(
        query: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, count: Int,
        width: Int, scores: UnsafeMutablePointer<Float>, into context: UnsafeMutablePointer<Float>
    ) {
        let size = width / heads
        let keyWidth = size * keyHeads
        let scale = 1 / Float(size).squareRoot()
        for head in 0..<heads {
            let first = head * size
            let firstKey = head * keyHeads / heads * size
            dotRows(
                query + first, keys + firstKey, stride: keyWidth, count: count, dimension: size, scale: scale,
                into: scores)
            softmax(scores, count: count)
            combineRows(
                scores, values + firstKey, stride: keyWidth, count: count, dimension: size,
                into: context + first)
        }
    }
}
