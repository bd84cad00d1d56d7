import BitplanKernels
import BitplanTensors
import PlanFormat

/// Multi-head attention: projections to queries, keys, values and output, and dot products between them,
/// scaled, in most models by the root of a head's channels.
///
/// With fewer key heads than query heads (grouped-query attention), query head i reads key head `i * keyHeads
/// / heads`. With a window, a token sees the last tokens alone, itself among them.
/// - Source: Vaswani et al. 2017; Ainslie et al. 2023 for groups; Beltagy et al. 2020 for windows; Dehghani
///   et al. 2023 for norms of queries and keys; Wang et al. 2022 (SubLN) for that of the output
///   projection's input.
struct Attention: Sendable {
    let query: Linear
    let key: Linear
    let value: Linear
    let output: Linear
    let heads: Int
    let keyHeads: Int
    /// Turns queries and keys by their positions; nil where positions come with the embeddings, or not at
    /// all.
    let rotary: RotaryPositions?
    /// What dot products are multiplied by.
    let scale: Float
    /// Keeps the scaled products within a bound; nil where they are as they are.
    let cap: SoftCap?
    /// Added to the scores of a sequence over itself; nil where positions come otherwise.
    let relative: RelativePositions?
    /// Normalizes every head's queries, before they are turned.
    let queryNorm: Norm?
    /// The same of keys.
    let keyNorm: Norm?
    /// Normalizes what the output projection sees.
    let outputNorm: Norm?
    /// How many tokens a token sees; nil where it sees all before it.
    let window: Int?

    /// Takes the four linear layers called `names`, and the norms where there are some.
    init(
        _ names: AttentionNames, _ shape: AttentionShape, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        let inner = shape.heads * shape.headSize
        let keyWidth = shape.keyHeads * shape.headSize
        func linear(
            _ name: String, _ rows: Int, _ columns: Int, hasBias: Bool, _ reader: inout ParameterReader
        ) throws(MissingWeight) -> Linear {
            try Linear(name, rows: rows, columns: columns, hasBias: hasBias, &reader)
        }
        query = try linear(names.query, inner, shape.width, hasBias: shape.hasBias, &reader)
        key = try linear(names.key, keyWidth, shape.width, hasBias: shape.hasBias, &reader)
        value = try linear(names.value, keyWidth, shape.width, hasBias: shape.hasBias, &reader)
        output = try linear(names.output, shape.width, inner, hasBias: shape.outputHasBias, &reader)
        queryNorm = try shape.headNorm?.norm(names.queryNorm, &reader)
        keyNorm = try shape.headNorm?.norm(names.keyNorm, &reader)
        outputNorm = try shape.outputNorm?.norm(names.outputNorm, &reader)
        window = shape.window
        heads = shape.heads
        keyHeads = shape.keyHeads
        rotary = shape.rotary
        scale = shape.scale
        cap = shape.cap
        relative = shape.relative
    }

    /// Attention of every sequence of `x` over itself.
    ///
    /// - Shapes: `x` (rows of `offsets`, width), and `source` like it.
    /// - Parameters:
    ///   - source: what keys and values are made of; `x` where nil.
    ///   - remember: called with the keys and values, turned by their positions.
    func callAsFunction(
        _ x: Matrix, keysOf source: Matrix? = nil, _ offsets: SequenceOffsets, causal: Bool,
        observing: ForwardObserver?, remember: (Matrix, Matrix) -> Void = { _, _ in }
    ) -> Matrix {
        var projections = self.projections(x, keysOf: source, observing: observing)
        if let rotary {
            rotary.apply(to: &projections[0], offsets)
            rotary.apply(to: &projections[1], offsets)
        }
        remember(projections[1], projections[2])
        keep(projections[0], projections[1], projections[2], observing)
        let context = contexts(
            projections[0], offsets, over: projections[1], projections[2], offsets, causal: causal)
        return projected(context, observing: observing)
    }

    /// What the output projection makes of what was read.
    func projected(_ context: Matrix, observing: ForwardObserver? = nil) -> Matrix {
        output(outputNorm?(context, observing: observing) ?? context, observing: observing)
    }

    /// Queries, keys and values before they are turned by their positions.
    func projections(_ x: Matrix, keysOf source: Matrix?, observing: ForwardObserver? = nil) -> [Matrix] {
        var projections =
            if let source {
                [query(x, observing: observing)]
                    + Linear.together([key, value], source, observing: observing)
            } else { Linear.together([query, key, value], x, observing: observing) }
        queryNorm?.apply(&projections[0], observing: observing)
        keyNorm?.apply(&projections[1], observing: observing)
        return projections
    }

    /// The first of the `count` keys of a sequence that the last of as many tokens sees.
    func firstKey(of count: Int) -> Int { window.map { max(0, count - $0) } ?? 0 }

    /// Attention of every sequence of `x` over the same sequence of `source`; positions play no part.
    ///
    /// - Shapes: `x` (rows of `offsets`, width), `source` (rows of `sourceOffsets`, width).
    /// - Parameter known: what some attention reads of `source`; used where it has these weights and no
    ///   observer has to see the products.
    func callAsFunction(
        _ x: Matrix, _ offsets: SequenceOffsets, over source: Matrix, _ sourceOffsets: SequenceOffsets,
        known: Memory? = nil, observing: ForwardObserver?
    ) -> Matrix {
        let queries = query(x, observing: observing)
        let memory =
            known.flatMap { observing == nil && $0.isOf(self) ? $0 : nil }
            ?? memory(of: source, observing: observing)
        keep(queries, memory.keys, memory.values, observing)
        let context = contexts(
            queries, offsets, over: memory.keys, memory.values, sourceOffsets, causal: false)
        return projected(context, observing: observing)
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
    func memory(of source: Matrix, observing: ForwardObserver? = nil) -> Memory {
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
        let longest = sourceOffsets.longest
        var scores = [Float](repeating: 0, count: longest)
        let biases = relative?.biases(longest: longest)
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
                                let end = causal ? position + 1 : span.count
                                let skipped = causal ? firstKey(of: end) : 0
                                let first = (span.lowerBound + skipped) * keyWidth
                                attend(
                                    query: q + row * width, keys: k + first, values: v + first,
                                    count: end - skipped, width: width, biases: biases?.row(position),
                                    scores: &scores,
                                    into: c + row * width)
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
    /// - Parameter biases: what is added to the scores of each head.
    private func attend(
        query: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, count: Int,
        width: Int, biases: RelativePositions.Row?, scores: UnsafeMutablePointer<Float>,
        into context: UnsafeMutablePointer<Float>
    ) {
        let size = width / heads
        let keyWidth = size * keyHeads
        for head in 0..<heads {
            let first = head * size
            let firstKey = head * keyHeads / heads * size
            dotRows(
                query + first, keys + firstKey, stride: keyWidth, count: count, dimension: size, scale: scale,
                into: scores)
            cap?.apply(scores, count: count)
            biases?.add(head: head, to: scores, count: count)
            softmax(scores, count: count)
            combineRows(
                scores, values + firstKey, stride: keyWidth, count: count, dimension: size,
                into: context + first)
        }
    }
}
