import BitplanKernels
import BitplanTensors
import Foundation

// Greedy decoding. Sentences of a batch decode together; one that has ended leaves the batch.

extension EncoderDecoderNetwork {
    /// Bans and forces tokens as the generation settings say; `length` counts the tokens so far, the start
    /// symbol included.
    func constrain(
        _ scores: UnsafeMutableBufferPointer<Float>, _ tokens: TargetTokens, length: Int, maximumLength: Int
    ) {
        for token in generation.bannedTokens {
            if let place = tokens.place(of: token) { scores[place] = -.infinity }
        }
        func force(_ token: Int) {
            for place in scores.indices { scores[place] = tokens[place] == token ? 0 : -.infinity }
        }
        if let first = generation.forcedFirstToken, length == 1 { force(first) }
        if let end = generation.forcedEndToken, length == maximumLength - 1 { force(end) }
    }

    /// The longest target of a source, start symbol included.
    ///
    /// - Parameter asked: the longest that the caller wants; as the settings say where nil.
    func maximumLength(_ source: [Int], asked: Int?) -> Int {
        min(asked ?? generation.longest(source: source.count), maximumPositions)
    }

    /// Translates a batch greedily.
    ///
    /// - Parameters:
    ///   - sources: token ids, each ending with the end symbol.
    ///   - maximumLength: the longest target, start symbol included; the configuration's where nil.
    ///   - forcedLength: where given, every target gets exactly so many tokens and ends nowhere else: for
    ///     timing.
    ///   - shortlist: the tokens that targets may have; all where nil.
    /// - Returns: token ids without the start symbol, the end symbol included where the sentence ended.
    package func greedy(
        _ sources: [[Int]], maximumLength: Int? = nil, forcedLength: Int? = nil, shortlist: Shortlist? = nil
    ) -> [[Int]] {
        let maxima = sources.map {
            self.maximumLength($0, asked: forcedLength.map { $0 + 1 } ?? maximumLength)
        }
        var results = [[Int]](repeating: [], count: sources.count)
        var active = sources.indices.filter { maxima[$0] > 1 }
        guard !active.isEmpty else { return results }
        let target = TargetScores(self, sources, shortlist)
        var cache = read(sources)
        if active.count < sources.count { cache.select(active) }
        var tokens = [Int](repeating: firstToken, count: active.count)
        var length = 1
        while !active.isEmpty {
            var scores = target.scores(states(tokens, &cache))
            var kept: [Int] = []
            var next: [Int] = []
            for (row, sentence) in active.enumerated() {
                let token = target.view(&scores, row: row, sentence: sentence) { line, tokens in
                    if forcedLength == nil {
                        constrain(line, tokens, length: length, maximumLength: maxima[sentence])
                    } else if let end = tokens.place(of: generation.endToken) {
                        line[end] = -.infinity
                    }
                    return tokens[line.baseAddress.map { indexOfLargest($0, count: line.count) } ?? 0]
                }
                results[sentence].append(token)
                let isOver = forcedLength == nil && token == generation.endToken
                if !isOver, length + 1 < maxima[sentence] {
                    kept.append(row)
                    next.append(token)
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
