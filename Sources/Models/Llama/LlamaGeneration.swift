import BitplanKernels
import BitplanTensors
import Foundation

// Generation with a key/value cache, from dense or packed weights. Texts of a batch go on together; one that has ended leaves it.

extension LlamaNetwork {
    /// How the next token is chosen.
    package enum Sampling: Sendable {
        /// The likeliest; the first of several.
        case greedy
        /// Drawn from `softmax(logits / temperature)`; text i of a batch draws from the stream of `seed + i`.
        case temperature(Double, seed: UInt64)
    }

    /// Keys and values of the tokens so far, by layer and text.
    private struct Cache {
        var histories: [[KeyValueHistory]]
        /// Memory for the scores of attention.
        var scores: [Float] = []

        init(layers: Int, texts: Int) {
            histories = (0..<layers).map { _ in (0..<texts).map { _ in KeyValueHistory() } }
        }

        mutating func select(_ rows: [Int]) {
            for layer in histories.indices { histories[layer] = rows.map { histories[layer][$0] } }
        }
    }

    /// Continues texts.
    ///
    /// - Parameters:
    ///   - prompts: token ids, at least one each.
    ///   - maximumLength: the most tokens to add; a text never grows beyond the model's positions.
    ///   - endTokens: tokens that end a text; the configuration's where nil.
    /// - Returns: the tokens added to each, the end symbol included where the text ended.
    /// - Precondition: prompts are not empty and not longer than the model's positions.
    package func generate(
        _ prompts: [[Int]], maximumLength: Int, sampling: Sampling = .greedy, endTokens: [Int]? = nil
    ) -> [[Int]] {
        precondition(
            prompts.allSatisfy { !$0.isEmpty && $0.count <= configuration.maximumPositions },
            "a prompt of wrong length")
        var results = prompts.map { _ in [Int]() }
        guard !prompts.isEmpty, maximumLength > 0 else { return results }
        let ends = Set(endTokens ?? configuration.endTokens)
        var generators = prompts.indices.map { index in
            if case .temperature(_, let seed) = sampling {
                SeededGenerator(seed: seed &+ UInt64(index))
            } else {
                SeededGenerator(seed: 0)
            }
        }
        var cache = Cache(layers: layers.count, texts: prompts.count)
        var scores = logits(read(prompts, &cache))
        var active = Array(prompts.indices)
        while true {
            var kept: [Int] = []
            for (row, text) in active.enumerated() {
                let token = LlamaNetwork.choose(scores[row: row], sampling, &generators[text])
                results[text].append(token)
                let isAtEnd =
                    ends.contains(token) || results[text].count >= maximumLength
                    || prompts[text].count + results[text].count >= configuration.maximumPositions
                if !isAtEnd { kept.append(row) }
            }
            if kept.isEmpty { return results }
            if kept.count < active.count {
                cache.select(kept)
                active = kept.map { active[$0] }
            }
            scores = logits(step(active.map { results[$0][results[$0].count - 1] }, &cache))
        }
    }

    /// Reads whole prompts into the cache; the normalized states of their last tokens.
    private func read(_ prompts: [[Int]], _ cache: inout Cache) -> Matrix {
        let offsets = SequenceOffsets(lengths: prompts.map(\.count))
        var hidden = embed(prompts.flatMap { $0 })
        for (index, layer) in layers.enumerated() {
            let attention = layer.attention
            let x = layer.attentionNorm(hidden)
            var projections = Linear.together([attention.query, attention.key, attention.value], x)
            attention.rotary?.apply(to: &projections[0], offsets)
            attention.rotary?.apply(to: &projections[1], offsets)
            for text in prompts.indices {
                for row in offsets[text] {
                    cache.histories[index][text].append(
                        keys: projections[1], values: projections[2], row: row, heads: attention.keyHeads)
                }
            }
            hidden.add(
                attention.output(
                    attention.contexts(
                        projections[0], offsets, over: projections[1], projections[2], offsets, causal: true))
            )
            hidden.add(layer.feedForward(layer.feedForwardNorm(hidden)))
        }
        return finalNorm(hidden.gathering(rows: offsets.starts.dropFirst().map { $0 - 1 }))
    }

    /// Reads one more token of every text; the normalized states.
    private func step(_ tokens: [Int], _ cache: inout Cache) -> Matrix {
        var hidden = embed(tokens)
        for (index, layer) in layers.enumerated() {
            hidden.add(attend(layer.attentionNorm(hidden), layer.attention, index, &cache))
            hidden.add(layer.feedForward(layer.feedForwardNorm(hidden)))
        }
        return finalNorm(hidden)
    }

    private func attend(_ x: Matrix, _ attention: Attention, _ layer: Int, _ cache: inout Cache) -> Matrix {
        var projections = Linear.together([attention.query, attention.key, attention.value], x)
        for row in 0..<x.rows {
            let position = cache.histories[layer][row].count
            attention.rotary?.apply(to: &projections[0], row: row, position: position)
            attention.rotary?.apply(to: &projections[1], row: row, position: position)
            cache.histories[layer][row].append(
                keys: projections[1], values: projections[2], row: row, heads: attention.keyHeads)
        }
        return attention.read(cache.histories[layer], projections[0], scores: &cache.scores)
    }

    private static func choose(
        _ logits: ArraySlice<Float>, _ sampling: Sampling, _ generator: inout SeededGenerator
    ) -> Int {
        var best = logits.startIndex
        for index in logits.indices where logits[index] > logits[best] { best = index }
        guard case .temperature(let temperature, _) = sampling, temperature > 0 else {
            return best - logits.startIndex
        }
        let weights = logits.map { exp(Double($0 - logits[best]) / temperature) }
        var rest = generator.uniform() * weights.reduce(0, +)
        for (token, weight) in weights.enumerated() {
            rest -= weight
            if rest < 0 { return token }
        }
        return best - logits.startIndex
    }
}
