import BitplanKernels
import BitplanTensors
import Foundation

// Greedy decoding. Sentences of a batch decode together; one that has ended leaves the batch.

extension EncoderDecoderNetwork {
    /// Bans and forces tokens as the generation settings say; `length` counts the tokens so far, the start
    /// symbol included.
    func constrain(_ scores: UnsafeMutableBufferPointer<Float>, length: Int, maximumLength: Int) {
        for token in generation.bannedTokens { scores[token] = -.infinity }
        if let end = generation.forcedEndToken, length == maximumLength - 1 {
            for token in scores.indices { scores[token] = token == end ? 0 : -.infinity }
        }
    }

    /// Translates a batch greedily.
    ///
    /// - Parameters:
    ///   - sources: token ids, each ending with the end symbol.
    ///   - maximumLength: the longest target, start symbol included; the configuration's where nil.
    ///   - forcedLength: where given, every target gets exactly so many tokens and ends nowhere else: for
    ///     timing.
    /// - Returns: token ids without the start symbol, the end symbol included where the sentence ended.
    package func greedy(_ sources: [[Int]], maximumLength: Int? = nil, forcedLength: Int? = nil) -> [[Int]] {
        let maximum = min(
            forcedLength.map { $0 + 1 } ?? maximumLength ?? generation.maximumLength,
            maximumPositions)
        var results = [[Int]](repeating: [], count: sources.count)
        guard !sources.isEmpty else { return results }
        var cache = read(sources)
        var active = Array(sources.indices)
        var tokens = [Int](repeating: generation.startToken, count: active.count)
        var length = 1
        while !active.isEmpty, length < maximum {
            var scores = step(tokens, &cache)
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
