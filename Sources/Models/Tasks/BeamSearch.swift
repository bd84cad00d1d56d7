import BitplanKernels
import BitplanTensors
import Foundation

// Beam search as transformers 5 does it: twice as many candidates as beams; a candidate that ends counts only
// among the first `beams`; a sentence is done when its running beams cannot beat its worst finished one.
//
// Or as Marian does it (`finishedKeepPlaces`): as many candidates as beams; one that ends keeps its place, so
// that fewer run on; a sentence is done when none does.

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

    /// How many candidates a step takes.
    func candidates(_ count: Int, _ generation: TranslationSettings) -> Int {
        guard generation.finishedKeepPlaces else { return 2 * count }
        return count - finished.count
    }

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
        // A finished hypothesis: its score by its length, start symbol left out, less what each token takes.
        let penalty = generation.wordPenalty * Float(length)
        for (rank, candidate) in candidates.enumerated() {
            let tokens = running[candidate.beam].tokens + [candidate.token]
            if candidate.token == generation.endToken || atLimit {
                if rank < count, accepts {
                    finished.append(Hypothesis(tokens: tokens, score: (candidate.score - penalty) / divisor))
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
        if let best = next.first, !generation.finishedKeepPlaces {
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
    ///   - shortlist: the tokens that targets may have; all where nil.
    /// - Returns: token ids without the start symbol, the end symbol included where the sentence ended.
    package func translate(
        _ sources: [[Int]], beams: Int? = nil, maximumLength: Int? = nil, shortlist: Shortlist? = nil
    ) -> [[Int]] {
        let count = beams ?? generation.beams
        if count == 1 { return greedy(sources, maximumLength: maximumLength, shortlist: shortlist) }
        let maxima = sources.map { self.maximumLength($0, asked: maximumLength) }
        var sentences = sources.map { _ in Beams(running: [Hypothesis(tokens: [], score: 0)]) }
        var active = sources.indices.filter { maxima[$0] > 1 }
        guard !active.isEmpty else { return sources.map { _ in [] } }
        let target = TargetScores(self, sources, shortlist)
        var cache = read(sources)
        if active.count < sources.count { cache.select(active) }
        var length = 1
        while !active.isEmpty {
            let tokens = active.flatMap {
                sentences[$0].running.map { $0.tokens.last ?? firstToken }
            }
            var scores = target.scores(states(tokens, &cache))
            var firstRow = 0
            var rows: [Int] = []
            var stillActive: [Int] = []
            for index in active {
                let running = sentences[index].running
                var candidates = BestCandidates(count: sentences[index].candidates(count, generation))
                for (beam, hypothesis) in running.enumerated() {
                    target.view(&scores, row: firstRow + beam, sentence: index) { line, tokens in
                        normalize(line, tokens, length: length, maximumLength: maxima[index])
                        candidates.add(line, tokens, beam: beam, score: hypothesis.score)
                    }
                }
                let step = sentences[index].advance(
                    candidates.best, count: count, length: length, generation, maximumLength: maxima[index])
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

    /// Logits of a row to log-probabilities, constrained.
    private func normalize(
        _ line: UnsafeMutableBufferPointer<Float>, _ tokens: TargetTokens, length: Int, maximumLength: Int
    ) {
        guard let base = line.baseAddress else { return }
        logSoftmax(base, count: line.count)
        constrain(line, tokens, length: length, maximumLength: maximumLength)
        if generation.renormalizes { logSoftmax(base, count: line.count) }
    }
}

/// The best continuations of a sentence's beams, best first; of equal scores the earlier beam and lower
/// token.
private struct BestCandidates {
    private let count: Int
    private(set) var best: [(beam: Int, token: Int, score: Float)] = []

    /// At most so many.
    init(count: Int) {
        self.count = count
        best.reserveCapacity(count + 1)
    }

    /// Adds the continuations of a beam of this score.
    mutating func add(
        _ line: UnsafeMutableBufferPointer<Float>, _ tokens: TargetTokens, beam: Int, score hypothesis: Float
    ) {
        var threshold = best.count < count ? -Float.infinity : best[count - 1].score
        for place in line.indices {
            let score = line[place] + hypothesis
            guard score > threshold else { continue }
            let rank = best.firstIndex { $0.score < score } ?? best.count
            best.insert((beam, tokens[place], score), at: rank)
            if best.count > count { best.removeLast() }
            if best.count == count { threshold = best[count - 1].score }
        }
    }
}
