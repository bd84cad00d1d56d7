/// chrF2 with one reference, identical to sacreBLEU's defaults.
///
/// Character n-grams (code points, whitespace removed) of order 1 to 6, no word n-grams, beta 2. Precision
/// and recall are averaged over the orders that both sides have (effective order), then
///
///     chrF = 100 * (1 + beta^2) * P * R / (beta^2 * P + R)
///
/// - Source: Popović 2015, 2016; sacreBLEU 2.6.0.
package struct ChrF: CorpusMetric {
    private static let characterOrder = 6
    private static let squaredBeta = 4.0

    /// Makes the metric; it has no settings.
    package init() {}

    /// "chrF2".
    package var name: String { "chrF2" }

    /// sacreBLEU's signature; `version` is the sacreBLEU release whose results this reproduces.
    package var signature: String {
        "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:\(reproducedSacreBLEUVersion)"
    }

    /// - Complexity: O(length of both).
    package func statistics(hypothesis: String, reference: String) -> Statistics {
        func symbols(_ text: String) -> [UInt32] {
            text.unicodeScalars.lazy.filter { !$0.isPythonWhitespace }.map(\.value)
        }
        let hypothesis = symbols(hypothesis)
        let reference = symbols(reference)
        let matches = NGramTrie(reference, maximumOrder: Self.characterOrder).clippedMatches(hypothesis)
        var statistics = Statistics.zero
        for order in 0..<Self.characterOrder {
            let referenceTotal = NGramTrie.total(length: reference.count, order: order + 1)
            statistics.referenceTotals[order] = referenceTotal
            // Where the reference is too short for an order, the hypothesis is not punished for having it.
            if referenceTotal > 0 {
                statistics.hypothesisTotals[order] = NGramTrie.total(
                    length: hypothesis.count, order: order + 1)
            }
            statistics.matches[order] = matches[order]
        }
        return statistics
    }

    /// chrF2, 0 to 100; 0 where no order has n-grams on both sides.
    package func score(_ statistics: Statistics) -> Double {
        var precision = 0.0
        var recall = 0.0
        var effectiveOrder = 0.0
        for order in 0..<Self.characterOrder
        where statistics.hypothesisTotals[order] > 0 && statistics.referenceTotals[order] > 0 {
            let matches = Double(statistics.matches[order])
            precision += matches / Double(statistics.hypothesisTotals[order])
            recall += matches / Double(statistics.referenceTotals[order])
            effectiveOrder += 1
        }
        guard precision + recall > 0 else { return 0 }
        precision /= effectiveOrder
        recall /= effectiveOrder
        return 100 * (1 + Self.squaredBeta) * precision * recall / (Self.squaredBeta * precision + recall)
    }
}

extension ChrF {
    /// The character n-gram counts of a sentence or, summed, of a corpus: lanes 0 to 5 hold orders 1 to 6,
    /// the last two are always 0.
    package struct Statistics: AdditiveArithmetic, Codable, Hashable, Sendable {
        /// N-grams of the hypothesis, in the orders that the sentence's reference has.
        package var hypothesisTotals: SIMD8<Int>
        /// N-grams of the reference.
        package var referenceTotals: SIMD8<Int>
        /// Clipped matches.
        package var matches: SIMD8<Int>

        /// Makes statistics from their counts.
        package init(hypothesisTotals: SIMD8<Int>, referenceTotals: SIMD8<Int>, matches: SIMD8<Int>) {
            self.hypothesisTotals = hypothesisTotals
            self.referenceTotals = referenceTotals
            self.matches = matches
        }

        /// The statistics of no sentence.
        package static var zero: Self {
            Self(hypothesisTotals: .zero, referenceTotals: .zero, matches: .zero)
        }

        /// Adds counts.
        package static func + (a: Self, b: Self) -> Self {
            Self(
                hypothesisTotals: a.hypothesisTotals &+ b.hypothesisTotals,
                referenceTotals: a.referenceTotals &+ b.referenceTotals, matches: a.matches &+ b.matches)
        }

        /// Takes counts away again.
        package static func - (a: Self, b: Self) -> Self {
            Self(
                hypothesisTotals: a.hypothesisTotals &- b.hypothesisTotals,
                referenceTotals: a.referenceTotals &- b.referenceTotals, matches: a.matches &- b.matches)
        }
    }
}
