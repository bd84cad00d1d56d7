/// A metric of generated text that is a function of summed per-sentence statistics.
///
/// The score of a corpus is `score(sum of statistics)`, not a mean of sentence scores. Sums are exact
/// (integers), so sentences can be scored in any order, kept, resampled (`Bootstrap`) and subtracted again,
/// without looking at the text twice.
package protocol CorpusMetric: Sendable {
    /// The sufficient statistics of one sentence or, summed, of a corpus.
    associatedtype Statistics: AdditiveArithmetic, Codable, Hashable, Sendable

    /// The metric's name as sacreBLEU prints it.
    var name: String { get }

    /// The settings that make the number reproducible, in sacreBLEU's format.
    var signature: String { get }

    /// The statistics of one hypothesis against its reference.
    func statistics(hypothesis: String, reference: String) -> Statistics

    /// The score, 0 to 100, of summed statistics.
    func score(_ statistics: Statistics) -> Double
}

extension CorpusMetric {
    /// The statistics of every sentence.
    ///
    /// - Throws: `MetricError.lengthMismatch`, or `.tooFewSamples` on an empty corpus (as sacreBLEU refuses
    ///   it).
    package func statistics(hypotheses: [String], references: [String]) throws(MetricError) -> [Statistics] {
        try MetricError.requireEqualCounts("hypotheses", hypotheses.count, "references", references.count)
        try MetricError.requireSamples(name, hypotheses.count, atLeast: 1)
        return zip(hypotheses, references).map { statistics(hypothesis: $0, reference: $1) }
    }

    /// The score of a corpus from the statistics of its sentences.
    package func corpusScore(_ statistics: some Sequence<Statistics>) -> Double {
        score(statistics.reduce(.zero, +))
    }

    /// The score of a corpus of sentences.
    ///
    /// - Throws: `MetricError.lengthMismatch`, or `.tooFewSamples` on an empty corpus.
    package func corpusScore(hypotheses: [String], references: [String]) throws(MetricError) -> Double {
        corpusScore(try statistics(hypotheses: hypotheses, references: references))
    }
}

/// The sacreBLEU release whose results BLEU and chrF reproduce; signatures name it, so that numbers can be
/// compared.
let reproducedSacreBLEUVersion = "2.6.0"
