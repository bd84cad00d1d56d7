import BitplanKernels
import BitplanTensors
import Foundation

// Greedy decoding with a key/value cache. Sentences of a batch decode together; one that has ended leaves the batch.

extension MarianNetwork {
    /// Keys and values of every row of the batch, by layer and row: of the tokens so far, and of the source.
    struct Cache {
        var targets: [[KeyValueHistory]]
        var sources: [[KeyValueHistory]]
        /// Memory for the scores of attention.
        var scores: [Float] = []

        /// Keeps the rows at `indices`, in that order; a row may occur several times. Nothing is copied.
        mutating func select(_ indices: [Int]) {
            for layer in targets.indices {
                targets[layer] = indices.map { targets[layer][$0] }
                sources[layer] = indices.map { sources[layer][$0] }
            }
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

    /// A cache over encoded sources, one row for each: what every step reads of them is computed here, once.
    func cache(_ encoded: Matrix, _ offsets: SequenceOffsets) -> Cache {
        Cache(
            targets: decoder.map { _ in (0..<offsets.count).map { _ in KeyValueHistory() } },
            sources: decoder.map { layer in
                let read = Linear.together([layer.crossAttention.key, layer.crossAttention.value], encoded)
                return (0..<offsets.count).map {
                    KeyValueHistory(
                        keys: read[0], values: read[1], rows: offsets[$0], heads: configuration.decoderHeads)
                }
            })
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
            x.add(attendSource(x, layer.crossAttention, index, &cache))
            layer.crossAttentionNorm.apply(&x)
            x.add(layer.feedForward(x))
            layer.feedForwardNorm.apply(&x)
        }
        return logits(x)
    }

    private func attendSelf(_ x: Matrix, _ attention: Attention, _ layer: Int, _ cache: inout Cache) -> Matrix
    {
        let projections = Linear.together([attention.query, attention.key, attention.value], x)
        for row in 0..<x.rows {
            cache.targets[layer][row].append(
                keys: projections[1], values: projections[2], row: row, heads: attention.keyHeads)
        }
        return attention.read(cache.targets[layer], projections[0], scores: &cache.scores)
    }

    private func attendSource(
        _ x: Matrix, _ attention: Attention, _ layer: Int, _ cache: inout Cache
    ) -> Matrix {
        attention.read(cache.sources[layer], attention.query(x), scores: &cache.scores)
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
    package func greedy(_ sources: [[Int]], maximumLength: Int? = nil, forcedLength: Int? = nil) -> [[Int]] {
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
                    let token = line.baseAddress.map { indexOfLargest($0, count: columns) } ?? 0
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
