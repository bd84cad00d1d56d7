import Foundation
import Tensors

// Greedy decoding with a key/value cache. Sentences of a batch decode together; one that has ended leaves the batch.

extension MarianNetwork {
    /// Keys and values of the tokens so far, one entry per row of the batch, and those of the source.
    struct Cache {
        /// By layer, then by row: (tokens so far, width).
        var keys: [[[Float]]]
        var values: [[[Float]]]
        /// By layer: keys and values of all sources, (source tokens, width).
        let sourceKeys: [Matrix]
        let sourceValues: [Matrix]
        /// Where each row's source lies in them.
        var sources: [Range<Int>]

        /// Keeps the rows at `indices`, in that order; a row may occur several times.
        mutating func select(_ indices: [Int]) {
            for layer in keys.indices {
                keys[layer] = indices.map { keys[layer][$0] }
                values[layer] = indices.map { values[layer][$0] }
            }
            sources = indices.map { sources[$0] }
        }
    }

    /// Runs the encoder over a batch of sources.
    func encode(_ sources: [[Int]]) -> (Matrix, SequenceOffsets) {
        let offsets = SequenceOffsets(lengths: sources.map(\.count))
        let empty = SequenceOffsets(lengths: sources.map { _ in 0 })
        var state = State(
            encoder: embed(sources, offsets), decoder: Matrix(rows: 0, columns: configuration.width),
            sources: offsets, targets: empty)
        state = advance(state, from: 1, to: 1 + 2 * encoder.count)
        return (state.encoder, offsets)
    }

    /// A cache over encoded sources, `copies` rows for each.
    func cache(_ encoded: Matrix, _ offsets: SequenceOffsets, copies: Int = 1) -> Cache {
        let rows = offsets.count * copies
        let empty = [[[Float]]](repeating: [[Float]](repeating: [], count: rows), count: decoder.count)
        return Cache(
            keys: empty, values: empty,
            sourceKeys: decoder.map { $0.crossAttention.key(encoded) },
            sourceValues: decoder.map { $0.crossAttention.value(encoded) },
            sources: (0..<rows).map { offsets[$0 / copies] })
    }

    /// One step: the logits that follow `tokens`, which stand at `position` in their rows.
    ///
    /// - Shapes: (rows, vocabulary).
    func step(_ tokens: [Int], at position: Int, _ cache: inout Cache) -> Matrix {
        var x = Matrix(rows: tokens.count, columns: configuration.width)
        for (row, token) in tokens.enumerated() { embed(token, at: position, row: row, of: &x) }
        for (index, layer) in decoder.enumerated() {
            x.add(attendSelf(x, layer.selfAttention, index, &cache))
            layer.selfAttentionNorm.apply(&x)
            x.add(attendSource(x, layer.crossAttention, index, cache))
            layer.crossAttentionNorm.apply(&x)
            x.add(layer.feedForward(x))
            layer.feedForwardNorm.apply(&x)
        }
        return logits(x)
    }

    private func attendSelf(_ x: Matrix, _ attention: Attention, _ layer: Int, _ cache: inout Cache) -> Matrix
    {
        let queries = attention.query(x)
        let keys = attention.key(x)
        let values = attention.value(x)
        for row in 0..<x.rows {
            cache.keys[layer][row].append(contentsOf: keys[row: row])
            cache.values[layer][row].append(contentsOf: values[row: row])
        }
        let rows = (cache.keys[layer], cache.values[layer])
        return attention.output(
            contexts(queries, attention) { row, body in
                rows.0[row].withUnsafeBufferPointer { k in
                    rows.1[row].withUnsafeBufferPointer { v in body(k, v) }
                }
            })
    }

    private func attendSource(_ x: Matrix, _ attention: Attention, _ layer: Int, _ cache: Cache) -> Matrix {
        let width = x.columns
        return attention.output(
            contexts(attention.query(x), attention) { row, body in
                let span = cache.sources[row].lowerBound * width..<cache.sources[row].upperBound * width
                cache.sourceKeys[layer].storage.withUnsafeBufferPointer { k in
                    cache.sourceValues[layer].storage.withUnsafeBufferPointer { v in
                        body(UnsafeBufferPointer(rebasing: k[span]), UnsafeBufferPointer(rebasing: v[span]))
                    }
                }
            })
    }

    /// The context of every query over the keys and values that `source` gives for its row.
    private func contexts(
        _ queries: Matrix, _ attention: Attention,
        _ source: (Int, (UnsafeBufferPointer<Float>, UnsafeBufferPointer<Float>) -> Void) -> Void
    ) -> Matrix {
        let width = queries.columns
        var context = Matrix(rows: queries.rows, columns: width)
        var scores: [Float] = []
        context.storage.withUnsafeMutableBufferPointer { c in
            queries.storage.withUnsafeBufferPointer { q in
                for row in 0..<queries.rows {
                    source(row) { keys, values in
                        guard let c = c.baseAddress, let q = q.baseAddress, let k = keys.baseAddress,
                            let v = values.baseAddress
                        else { return }
                        let count = keys.count / width
                        if scores.count < count { scores = [Float](repeating: 0, count: 2 * count) }
                        attention.attend(
                            query: q + row * width, keys: k, values: v, count: count, width: width,
                            scores: &scores,
                            into: c + row * width)
                    }
                }
            }
        }
        return context
    }

    /// Bans and forces tokens as the generation settings say; `length` counts the tokens so far, the start symbol included.
    func constrain(_ scores: UnsafeMutableBufferPointer<Float>, length: Int, maximumLength: Int) {
        for token in configuration.generation.bannedTokens { scores[token] = -.infinity }
        if let end = configuration.generation.forcedEndToken, length == maximumLength - 1 {
            for token in scores.indices { scores[token] = token == end ? 0 : -.infinity }
        }
    }

    /// Translates a batch greedily.
    ///
    /// - Parameters:
    ///   - sources: token ids, each ending with the end symbol.
    ///   - maximumLength: the longest target, start symbol included; the configuration's where nil.
    ///   - forcedLength: where given, every target gets exactly so many tokens and ends nowhere else: for timing.
    /// - Returns: token ids without the start symbol, the end symbol included where the sentence ended.
    public func greedy(_ sources: [[Int]], maximumLength: Int? = nil, forcedLength: Int? = nil) -> [[Int]] {
        let generation = configuration.generation
        let maximum = min(
            forcedLength.map { $0 + 1 } ?? maximumLength ?? generation.maximumLength,
            configuration.maximumPositions)
        var results = [[Int]](repeating: [], count: sources.count)
        guard !sources.isEmpty else { return results }
        let (encoded, offsets) = encode(sources)
        var cache = cache(encoded, offsets)
        var active = Array(sources.indices)
        var tokens = [Int](repeating: generation.startToken, count: active.count)
        var length = 1
        while !active.isEmpty, length < maximum {
            var scores = step(tokens, at: length - 1, &cache)
            var kept: [Int] = []
            var next: [Int] = []
            let columns = scores.columns
            scores.storage.withUnsafeMutableBufferPointer { all in
                for (row, sentence) in active.enumerated() {
                    let span = row * columns..<(row + 1) * columns
                    let line = UnsafeMutableBufferPointer(rebasing: all[span])
                    if forcedLength == nil {
                        constrain(line, length: length, maximumLength: maximum)
                    } else {
                        line[generation.endToken] = -.infinity
                    }
                    let token = indexOfLargest(line)
                    results[sentence].append(token)
                    if forcedLength != nil || token != generation.endToken {
                        kept.append(row)
                        next.append(token)
                    }
                }
            }
            if kept.count < active.count {
                cache.select(kept)
                active = kept.map { active[$0] }
            }
            tokens = next
            length += 1
        }
        return results
    }
}

/// The index of the largest number; the first of several.
func indexOfLargest(_ values: UnsafeMutableBufferPointer<Float>) -> Int {
    var best = 0
    for index in values.indices where values[index] > values[best] { best = index }
    return best
}
