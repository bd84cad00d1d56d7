import BitplanKernels
import BitplanTensors
import Foundation

// Beam search as transformers 5 does it: twice as many candidates as beams; a candidate that ends counts only
// among the first `beams`; a sentence is done when its running beams cannot beat its worst finished one.

/// A partial or finished hypothesis.
private struct Hypothesis {
    var tokens: [Int]
    var score: Float
}

/// The beams of one sentence.
private struct Beams {
    var running: [Hypothesis]
    var finished: [Hypothesis] = []
    var canImprove = true

    /// Takes the best candidates of a step; returns for each new running beam the beam that it came from.
    mutating func advance(
        _ candidates: [(beam: Int, token: Int, score: Float)], count: Int, length: Int,
        _ generation: TranslationSettings, maximumLength: Int
    ) -> (origins: [Int], isDone: Bool) {
        let atLimit = length + 1 >= maximumLength
        var next: [Hypothesis] = []
        var origins: [Int] = []
        let divisor = Float(pow(Double(length), generation.lengthPenalty))
        let isFull = finished.count == count && generation.stopsEarly
        let accepts = canImprove && !isFull
        for (rank, candidate) in candidates.enumerated() {
            let tokens = running[candidate.beam].tokens + [candidate.token]
            if candidate.token == generation.endToken || atLimit {
                if rank < count, accepts {
                    finished.append(Hypothesis(tokens: tokens, score: candidate.score / divisor))
                }
            } else if next.count < count {
                next.append(Hypothesis(tokens: tokens, score: candidate.score))
                origins.append(candidate.beam)
            }
        }
        // A stable sort: of equal scores the earlier hypothesis stays ahead.
        finished = finished.enumerated().sorted {
            ($1.element.score, $0.offset) < ($0.element.score, $1.offset)
        }.map(\.element)
        finished.removeLast(max(0, finished.count - count))
        running = next
        if let best = next.first {
            let worst = finished.count == count ? finished[count - 1].score : -1e9
            canImprove = canImprove && best.score / divisor > worst
        }
        let isDone = next.isEmpty || !canImprove || (finished.count == count && generation.stopsEarly)
        return (origins, isDone)
    }
}

extension EncoderDecoderNetwork {
    /// Translates a batch with `beams` hypotheses a sentence; greedily where that is 1.
    ///
    /// - Parameters:
    ///   - sources: token ids, each ending with the end symbol.
    ///   - beams: hypotheses kept; the configuration's where nil.
    ///   - maximumLength: the longest target, start symbol included; the configuration's where nil.
    /// - Returns: token ids without the start symbol, the end symbol included where the sentence ended.
    package func translate(_ sources: [[Int]], beams: Int? = nil, maximumLength: Int? = nil) -> [[Int]] {
        let count = beams ?? generation.beams
        if count == 1 { return greedy(sources, maximumLength: maximumLength) }
        let maximum = min(maximumLength ?? generation.maximumLength, maximumPositions)
        guard !sources.isEmpty, maximum > 1 else { return sources.map { _ in [] } }
        var cache = read(sources)
        var sentences = sources.map { _ in Beams(running: [Hypothesis(tokens: [], score: 0)]) }
        var active = Array(sources.indices)
        var length = 1
        while !active.isEmpty {
            let tokens = active.flatMap {
                sentences[$0].running.map { $0.tokens.last ?? generation.startToken }
            }
            var scores = step(tokens, &cache)
            normalize(&scores, length: length, maximumLength: maximum)
            var firstRow = 0
            var rows: [Int] = []
            var stillActive: [Int] = []
            for index in active {
                let running = sentences[index].running
                let candidates = best(2 * count, of: scores, firstRow: firstRow, running)
                let step = sentences[index].advance(
                    candidates, count: count, length: length, generation, maximumLength: maximum)
                if !step.isDone {
                    stillActive.append(index)
                    rows += step.origins.map { firstRow + $0 }
                }
                firstRow += running.count
            }
            active = stillActive
            cache.select(rows)
            length += 1
        }
        return sentences.map { $0.finished.first?.tokens ?? $0.running.first?.tokens ?? [] }
    }

    /// Logits to log-probabilities, constrained, row by row.
    private func normalize(_ scores: inout Matrix, length: Int, maximumLength: Int) {
        let columns = scores.columns
        for row in 0..<scores.rows {
            scores.storage.withUnsafeMutableBufferPointer { all in
                guard let line = all.baseAddress.map({ $0 + row * columns }) else { return }
                logSoftmax(line, count: columns)
                constrain(
                    UnsafeMutableBufferPointer(start: line, count: columns), length: length,
                    maximumLength: maximumLength)
                if generation.renormalizes { logSoftmax(line, count: columns) }
            }
        }
    }

    /// The best continuations of a sentence's beams, best first; of equal scores the earlier beam and lower
    /// token.
    private func best(
        _ count: Int, of scores: Matrix, firstRow: Int, _ running: [Hypothesis]
    ) -> [(beam: Int, token: Int, score: Float)] {
        var best: [(beam: Int, token: Int, score: Float)] = []
        best.reserveCapacity(count + 1)
        scores.storage.withUnsafeBufferPointer { all in
            for (beam, hypothesis) in running.enumerated() {
                let line = (firstRow + beam) * scores.columns
                var threshold = best.count < count ? -Float.infinity : best[count - 1].score
                for token in 0..<scores.columns {
                    let score = all[line + token] + hypothesis.score
                    guard score > threshold else { continue }
                    let place = best.firstIndex { $0.score < score } ?? best.count
                    best.insert((beam, token, score), at: place)
                    if best.count > count { best.removeLast() }
                    if best.count == count { threshold = best[count - 1].score }
                }
            }
        }
        return best
    }
}
