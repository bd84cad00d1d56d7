import BitplanKernels
import BitplanTensors
import PlanFormat

extension Attention {
    /// Queries, keys and values as they meet, which the way back needs again.
    func keep(_ queries: Matrix, _ keys: Matrix, _ values: Matrix, _ observer: ForwardObserver?) {
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
            projectedBackward(gradient, tape, sink), offsets, offsets, causal: causal, tape, sink)
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
            projectedBackward(gradient, tape, sink), offsets, sourceOffsets, causal: false, tape, sink)
        return (
            query.backward(gradients[0], tape, sink),
            Linear.together([key, value], Array(gradients[1...]), tape, sink)
        )
    }

    /// The gradient of what was read, given that of what the output projection makes of it.
    private func projectedBackward(_ gradient: Matrix, _ tape: Tape, _ sink: any GradientSink) -> Matrix {
        var context = output.backward(gradient, tape, sink)
        outputNorm?.backward(&context, tape, sink)
        return context
    }

    /// The gradients of queries, keys and values, given that of what the queries read.
    ///
    /// With P the weights of a query, V the values, dP = V dO and D = sum_j P_j dP_j: dS_j = P_j (dP_j - D),
    /// dq = scale sum_j dS_j k_j, dk_j += scale dS_j q, dv_j += P_j dO; a bias of scores has the sum of its
    /// dS_j, and dS_j of a capped score is multiplied by its slope. P is computed again, as the forward did.
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
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, 3 * most)) { scratch in
            guard let weights = scratch.baseAddress else { return }
            let (slopes, capSlopes) = (weights + most, weights + 2 * most)
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
                                                    if let cap {
                                                        cap.apply(weights, count: count)
                                                        for j in 0..<count {
                                                            capSlopes[j] = cap.slope(at: weights[j])
                                                        }
                                                    }
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
                                                    if cap != nil {
                                                        for j in 0..<count { slopes[j] *= capSlopes[j] }
                                                    }
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
