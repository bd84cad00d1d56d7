import BitplanKernels
import BitplanTensors
import Foundation

// Generation with a key/value cache, from dense or packed weights. Texts of a batch go on together; one that
// has ended leaves it.

extension DecoderNetwork {
    /// How the next token is chosen.
    package enum Sampling: Sendable {
        /// The likeliest; the first of several.
        case greedy
        /// Drawn from `softmax(logits / temperature)`; text i of a batch draws from the stream of `seed + i`.
        case temperature(Double, seed: UInt64)
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
            prompts.allSatisfy { !$0.isEmpty && $0.count <= maximumPositions },
            "a prompt of wrong length")
        var results = prompts.map { _ in [Int]() }
        guard !prompts.isEmpty, maximumLength > 0 else { return results }
        let ends = Set(endTokens ?? self.endTokens)
        var generators = prompts.indices.map { index in
            if case .temperature(_, let seed) = sampling {
                SeededGenerator(seed: seed &+ UInt64(index))
            } else {
                SeededGenerator(seed: 0)
            }
        }
        var (scores, cache) = read(prompts)
        var active = Array(prompts.indices)
        while true {
            var kept: [Int] = []
            for (row, text) in active.enumerated() {
                let token = Self.choose(scores[row: row], sampling, &generators[text])
                results[text].append(token)
                let isAtEnd =
                    ends.contains(token) || results[text].count >= maximumLength
                    || prompts[text].count + results[text].count >= maximumPositions
                if !isAtEnd { kept.append(row) }
            }
            if kept.isEmpty { return results }
            if kept.count < active.count {
                cache.select(kept)
                active = kept.map { active[$0] }
            }
            scores = step(active.map { results[$0][results[$0].count - 1] }, &cache)
        }
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
