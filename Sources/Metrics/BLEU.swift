import Foundation

/// Corpus BLEU with one reference, identical to sacreBLEU's defaults.
///
/// Tokenizer 13a, case kept, n-gram orders 1 to 4, exponential smoothing, effective order off:
///
///     BLEU = BP * exp(1/4 sum_n log p_n),   p_n = 100 * matches_n / totals_n,
///     BP = 1 if hypothesis is at least as long as reference,
///          else exp(1 - referenceLength / hypothesisLength)
///
/// An order without a match has p_n = 100 / (2^j * totals_n), j counting such orders from below; with no
/// match at all, or with an order that the corpus is too short for, BLEU is 0.
///
/// - Source: Papineni et al. 2002; Post 2018; smoothing: Chen and Cherry 2014, method 3.
package struct BLEU: CorpusMetric {
    /// Makes the metric; it has no settings.
    package init() {}

    /// "BLEU".
    package var name: String { "BLEU" }

    /// sacreBLEU's signature; `version` is the sacreBLEU release whose results this reproduces.
    package var signature: String {
        "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:\(reproducedSacreBLEUVersion)"
    }

    /// - Complexity: O(length of both).
    package func statistics(hypothesis: String, reference: String) -> Statistics {
        var identifiers: [ArraySlice<Unicode.Scalar>: UInt32] = [:]
        func symbols(_ text: String) -> [UInt32] {
            Tokenizer13a.words(in: text).map { word in
                if let known = identifiers[word] { return known }
                let next = UInt32(identifiers.count)
                identifiers[word] = next
                return next
            }
        }
        let reference = symbols(reference)
        let hypothesis = symbols(hypothesis)
        let matches = NGramTrie(reference, maximumOrder: 4).clippedMatches(hypothesis)
        return Statistics(
            matches: SIMD4(matches),
            totals: SIMD4((1...4).map { NGramTrie.total(length: hypothesis.count, order: $0) }),
            hypothesisLength: hypothesis.count, referenceLength: reference.count)
    }

    /// BLEU, 0 to 100.
    package func score(_ statistics: Statistics) -> Double { details(statistics).value }

    /// BLEU with its parts, as sacreBLEU prints them.
    package func details(_ statistics: Statistics) -> Score {
        var precisions = [0.0, 0.0, 0.0, 0.0]
        let lengths = (hypothesis: statistics.hypothesisLength, reference: statistics.referenceLength)
        var brevityPenalty = 1.0
        if lengths.hypothesis < lengths.reference {
            brevityPenalty =
                lengths.hypothesis > 0 ? exp(1 - Double(lengths.reference) / Double(lengths.hypothesis)) : 0
        }
        guard statistics.matches != .zero else {
            return Score(
                value: 0, precisions: precisions, brevityPenalty: brevityPenalty, statistics: statistics)
        }
        var smoothing = 1.0
        for order in 0..<4 where statistics.totals[order] > 0 {
            let total = Double(statistics.totals[order])
            if statistics.matches[order] > 0 {
                precisions[order] = 100 * Double(statistics.matches[order]) / total
            } else {
                smoothing *= 2
                precisions[order] = 100 / (smoothing * total)
            }
        }
        // log 0 is -infinity and its exponential 0: an order that the corpus is too short for.
        let value = brevityPenalty * exp(precisions.reduce(0) { $0 + log($1) } / 4)
        return Score(
            value: value, precisions: precisions, brevityPenalty: brevityPenalty, statistics: statistics)
    }
}

extension BLEU {
    /// The n-gram matches and lengths of a sentence or, summed, of a corpus.
    package struct Statistics: AdditiveArithmetic, Codable, Hashable, Sendable {
        /// Clipped matches of order 1, 2, 3, 4.
        package var matches: SIMD4<Int>
        /// N-grams of the hypothesis of order 1, 2, 3, 4.
        package var totals: SIMD4<Int>
        /// Tokens of the hypothesis.
        package var hypothesisLength: Int
        /// Tokens of the reference.
        package var referenceLength: Int

        /// Makes statistics from their counts.
        package init(matches: SIMD4<Int>, totals: SIMD4<Int>, hypothesisLength: Int, referenceLength: Int) {
            self.matches = matches
            self.totals = totals
            self.hypothesisLength = hypothesisLength
            self.referenceLength = referenceLength
        }

        /// The statistics of no sentence.
        package static var zero: Self {
            Self(matches: .zero, totals: .zero, hypothesisLength: 0, referenceLength: 0)
        }

        /// Adds counts.
        package static func + (a: Self, b: Self) -> Self {
            Self(
                matches: a.matches &+ b.matches, totals: a.totals &+ b.totals,
                hypothesisLength: a.hypothesisLength + b.hypothesisLength,
                referenceLength: a.referenceLength + b.referenceLength)
        }

        /// Takes counts away again.
        package static func - (a: Self, b: Self) -> Self {
            Self(
                matches: a.matches &- b.matches, totals: a.totals &- b.totals,
                hypothesisLength: a.hypothesisLength - b.hypothesisLength,
                referenceLength: a.referenceLength - b.referenceLength)
        }
    }

    /// A BLEU score and what it is made of.
    package struct Score: Hashable, Sendable, CustomStringConvertible {
        /// BLEU, 0 to 100.
        package var value: Double
        /// The smoothed precisions of order 1 to 4, 0 to 100.
        package var precisions: [Double]
        /// The brevity penalty, 0 to 1.
        package var brevityPenalty: Double
        /// The summed statistics.
        package var statistics: Statistics

        /// sacreBLEU's line, e.g. `BLEU = 36.98 66.3/43.0/30.0/21.4 (BP = 1.000 ratio = 1.002 hyp_len =
        /// ...)`.
        package var description: String {
            let ratio =
                statistics.referenceLength > 0
                ? Double(statistics.hypothesisLength) / Double(statistics.referenceLength) : 0
            let parts = precisions.map { String(format: "%.1f", $0) }.joined(separator: "/")
            return String(format: "BLEU = %.2f ", value) + parts
                + String(format: " (BP = %.3f ratio = %.3f", brevityPenalty, ratio)
                + " hyp_len = \(statistics.hypothesisLength) ref_len = \(statistics.referenceLength))"
        }
    }
}
