import BitplanKernels
import BitplanTensors
import PlanFormat

/// The names of an attention's four linear layers, as a family's checkpoints have them, and of its norms
/// where queries and keys have some.
struct AttentionNames {
    let query: String
    let key: String
    let value: String
    let output: String
    var queryNorm = ""
    var keyNorm = ""

    /// `<name>.q_proj`, `.k_proj`, `.v_proj` and an output projection, `.out_proj` where it has no other
    /// name; norms `.q_norm` and `.k_norm`.
    init(_ name: String, output: String = "out_proj") {
        query = name + ".q_proj"
        key = name + ".k_proj"
        value = name + ".v_proj"
        self.output = "\(name).\(output)"
        queryNorm = name + ".q_norm"
        keyNorm = name + ".k_norm"
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
    /// Whether queries, keys and values have biases.
    let hasBias: Bool
    /// Whether the output projection has one.
    let outputHasBias: Bool
    /// Turns queries and keys by their positions; nil where positions come with the embeddings, or not at
    /// all.
    let rotary: RotaryPositions?
    /// Whether scores are divided by the root of a head's channels.
    let isScaled: Bool
    /// Added to the scores; nil where positions come otherwise.
    let relative: RelativePositions?
    /// What is added to the mean square where every head's queries and keys are normalized; nil where they
    /// are not.
    let headNormEpsilon: Float?
    /// How many tokens a token sees, itself the last of them; nil where it sees all before it.
    let window: Int?

    /// Heads that share the channels of the activations, as many for keys as for queries, with biases.
    init(width: Int, heads: Int) {
        self.init(width: width, heads: heads, keyHeads: heads, headSize: width / heads, hasBias: true)
    }

    /// An attention of these heads; the output projection has a bias where the others have one and nothing
    /// else is said.
    init(
        width: Int, heads: Int, keyHeads: Int, headSize: Int, hasBias: Bool, outputHasBias: Bool? = nil,
        rotary: RotaryPositions? = nil, headNormEpsilon: Float? = nil, window: Int? = nil,
        isScaled: Bool = true, relative: RelativePositions? = nil
    ) {
        self.width = width
        self.heads = heads
        self.keyHeads = keyHeads
        self.headSize = headSize
        self.hasBias = hasBias
        self.outputHasBias = outputHasBias ?? hasBias
        self.rotary = rotary
        self.isScaled = isScaled
        self.relative = relative
        self.headNormEpsilon = headNormEpsilon
        self.window = window
    }
}

/// Multi-head attention: projections to queries, keys, values and output, and dot products between them,
/// scaled by the root of a head's channels but in T5.
///
/// With fewer key heads than query heads (grouped-query attention), query head i reads key head `i * keyHeads
/// / heads`. With a window, a token sees the last tokens alone, itself among them.
/// - Source: Vaswani et al. 2017; Ainslie et al. 2023 for groups; Beltagy et al. 2020 for windows; Dehghani
///   et al. 2023 for norms of queries and keys.
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
    /// Added to the scores of a sequence over itself; nil where positions come otherwise.
    let relative: RelativePositions?
    /// Normalizes every head's queries, before they are turned.
    private let queryNorm: Norm?
    /// The same of keys.
    private let keyNorm: Norm?
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
        func norm(_ name: String, _ reader: inout ParameterReader) throws(MissingWeight) -> Norm? {
            guard let epsilon = shape.headNormEpsilon else { return nil }
            return .rms(try RMSNorm(name, width: shape.headSize, epsilon: epsilon, &reader))
        }
        queryNorm = try norm(names.queryNorm, &reader)
        keyNorm = try norm(names.keyNorm, &reader)
        window = shape.window
        heads = shape.heads
        keyHeads = shape.keyHeads
        rotary = shape.rotary
        scale = shape.isScaled ? 1 / Float(shape.headSize).squareRoot() : 1
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
        return output(context, observing: observing)
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
            biases?.add(head: head, to: scores, count: count)
            softmax(scores, count: count)
            combineRows(
                scores, values + firstKey, stride: keyWidth, count: count, dimension: size,
                into: context + first)
        }
    }
}

extension Attention {
    /// Queries, keys and values as they meet, which the way back needs again.
    private func keep(_ queries: Matrix, _ keys: Matrix, _ values: Matrix, _ observer: ForwardObserver?) {
        observer?.keep(query.name, queries)
        observer?.keep(key.name, keys)
        observer?.keep(value.name, values)
    }

    /// Attention of every sequence over itself: the gradient of its input, given that of its output; that of
    /// what keys and values are made of apart, where that is something else.
    func backward(
        _ gradient: Matrix, _ offsets: SequenceOffsets, causal: Bool, splitsSource: Bool = false,
        _ tape: Tape, _ sink: any GradientSink
    ) -> (input: Matrix, source: Matrix?) {
        var gradients = contextGradients(
            output.backward(gradient, tape, sink), offsets, offsets, causal: causal, tape, sink)
        if let rotary {
            rotary.apply(to: &gradients[0], offsets, isReversed: true)
            rotary.apply(to: &gradients[1], offsets, isReversed: true)
        }
        queryNorm?.backward(&gradients[0], tape, sink)
        keyNorm?.backward(&gradients[1], tape, sink)
        guard splitsSource else {
            return (Linear.together([query, key, value], gradients, tape, sink), nil)
        }
        return (
            query.backward(gradients[0], tape, sink),
            Linear.together([key, value], Array(gradients[1...]), tape, sink)
        )
    }

    /// Attention over a source: the gradients of the input and of the source.
    func backward(
        _ gradient: Matrix, _ offsets: SequenceOffsets, over sourceOffsets: SequenceOffsets, _ tape: Tape,
        _ sink: any GradientSink
    ) -> (input: Matrix, source: Matrix) {
        let gradients = contextGradients(
            output.backward(gradient, tape, sink), offsets, sourceOffsets, causal: false, tape, sink)
        return (
            query.backward(gradients[0], tape, sink),
            Linear.together([key, value], Array(gradients[1...]), tape, sink)
        )
    }

    /// The gradients of queries, keys and values, given that of what the queries read.
    ///
    /// With P the weights of a query, V the values, dP = V dO and D = sum_j P_j dP_j: dS_j = P_j (dP_j - D),
    /// dq = scale sum_j dS_j k_j, dk_j += scale dS_j q, dv_j += P_j dO; a bias of scores has the sum of its
    /// dS_j. P is computed again, as the forward did.
    private func contextGradients(
        _ gradient: Matrix, _ offsets: SequenceOffsets, _ sourceOffsets: SequenceOffsets, causal: Bool,
        _ tape: Tape, _ sink: any GradientSink
    ) -> [Matrix] {
        let (queries, keys, values) = (tape.kept(query.name), tape.kept(key.name), tape.kept(value.name))
        var results = [queries, keys, values].map { Matrix(rows: $0.rows, columns: $0.columns) }
        let (width, keyWidth) = (queries.columns, keys.columns)
        let size = width / heads
        let most = sourceOffsets.longest
        let biases = relative?.biases(longest: most)
        var biasGradients = biases?.zeros() ?? []
        var dq = results[0].storage
        var dk = results[1].storage
        var dv = results[2].storage
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, 2 * most)) { scratch in
            guard let weights = scratch.baseAddress else { return }
            let slopes = weights + most
            dq.withUnsafeMutableBufferPointer { dq in
                dk.withUnsafeMutableBufferPointer { dk in
                    dv.withUnsafeMutableBufferPointer { dv in
                        queries.storage.withUnsafeBufferPointer { q in
                            keys.storage.withUnsafeBufferPointer { k in
                                values.storage.withUnsafeBufferPointer { v in
                                    gradient.storage.withUnsafeBufferPointer { dc in
                                        guard let dq = dq.baseAddress, let dk = dk.baseAddress,
                                            let dv = dv.baseAddress, let q = q.baseAddress,
                                            let k = k.baseAddress, let v = v.baseAddress,
                                            let dc = dc.baseAddress
                                        else { return }
                                        for sequence in 0..<offsets.count {
                                            let span = sourceOffsets[sequence]
                                            for (position, row) in offsets[sequence].enumerated() {
                                                let end = causal ? position + 1 : span.count
                                                let skipped = causal ? firstKey(of: end) : 0
                                                let count = end - skipped
                                                for head in 0..<heads {
                                                    let own = row * width + head * size
                                                    let key =
                                                        (span.lowerBound + skipped) * keyWidth
                                                        + head * keyHeads / heads * size
                                                    dotRows(
                                                        q + own, k + key, stride: keyWidth, count: count,
                                                        dimension: size, scale: scale, into: weights)
                                                    biases?.row(position).add(
                                                        head: head, to: weights, count: count)
                                                    softmax(weights, count: count)
                                                    dotRows(
                                                        dc + own, v + key, stride: keyWidth, count: count,
                                                        dimension: size, scale: 1, into: slopes)
                                                    addOuter(
                                                        weights, dc + own, count: count, dimension: size,
                                                        to: dv + key, stride: keyWidth)
                                                    var mean: Float = 0
                                                    for j in 0..<count { mean += weights[j] * slopes[j] }
                                                    for j in 0..<count {
                                                        slopes[j] = scale * weights[j] * (slopes[j] - mean)
                                                    }
                                                    biases?.row(position).add(
                                                        slopes, of: scale, head: head, count: count,
                                                        toGradients: &biasGradients)
                                                    combineRows(
                                                        slopes, k + key, stride: keyWidth, count: count,
                                                        dimension: size, into: dq + own)
                                                    addOuter(
                                                        slopes, q + own, count: count, dimension: size,
                                                        to: dk + key, stride: keyWidth)
                                                }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        results[0].storage = dq
        results[1].storage = dk
        results[2].storage = dv
        relative?.backward(biasGradients, longest: most, sink)
        return results
    }
}
