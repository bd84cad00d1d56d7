import BitplanTensors
import Foundation

/// Seeded bootstrap: intervals of metrics of a whole corpus, which have no standard error of a mean.
///
/// Each replicate draws as many items as there are, with replacement, and computes the metric over them. The
/// seed and the number of items alone decide what is drawn, so two systems are compared on the same draws,
/// and the same call gives the same bits on every machine.
///
/// The ends are quantiles of the replicates, further out the fewer the items are: those of the normal
/// distribution at `sqrt(n / (n - 1)) t`, with t the quantile of Student's distribution with n - 1 degrees of
/// freedom (the expanded percentile interval). Plain percentiles of few items are too narrow.
///
/// - Source: Efron 1979; Koehn 2004 for translation; Hesterberg 2015, "What teachers should know about the
///   bootstrap", section 4.4, for the expanded percentiles.
package struct Bootstrap: Hashable, Sendable {
    /// How many resamples are drawn, at least 2.
    package let replicates: Int
    /// What all draws follow from.
    package let seed: UInt64
    /// The confidence of the intervals.
    package let confidence: Double

    /// Settings; 1,000 replicates and 95% where nothing is said.
    package init(replicates: Int = 1000, seed: UInt64 = 12345, confidence: Double = 0.95) {
        self.replicates = replicates
        self.seed = seed
        self.confidence = confidence
    }

    /// The interval of a metric; nil where there are fewer than two items, or most replicates are undefined.
    ///
    /// - Complexity: `replicates` times the metric.
    /// - Throws: `MetricError.settingOutOfRange`.
    package func interval(_ items: MetricItems) throws(MetricError) -> ConfidenceInterval? {
        try interval(itemCount: items.count) { items.value(of: $0) }
    }

    /// The interval of the difference candidate - baseline of two systems on the same items: both are
    /// computed on each resample, so what the items have in common cancels.
    ///
    /// - Throws: `MetricError.lengthMismatch`, `.settingOutOfRange`.
    package func pairedInterval(
        baseline: MetricItems, candidate: MetricItems
    ) throws(MetricError) -> ConfidenceInterval? {
        try MetricError.requireEqualCounts("baseline", baseline.count, "candidate", candidate.count)
        guard baseline != candidate else {
            return ConfidenceInterval(lower: 0, upper: 0, confidence: confidence)
        }
        return try interval(itemCount: baseline.count) { indices in
            guard let its = baseline.value(of: indices), let ours = candidate.value(of: indices) else {
                return nil
            }
            return ours - its
        }
    }

    /// The items of every replicate, in the order in which they are drawn.
    package func forEachReplicate(itemCount: Int, _ body: ([Int]) -> Void) {
        var generator = SeededGenerator(seed: seed)
        var indices = [Int](repeating: 0, count: itemCount)
        for _ in 0..<replicates {
            for place in indices.indices { indices[place] = generator.unbiasedIndex(below: itemCount) }
            body(indices)
        }
    }

    private func interval(
        itemCount: Int, _ score: ([Int]) -> Double?
    ) throws(MetricError) -> ConfidenceInterval? {
        guard replicates >= 2 else {
            throw .settingOutOfRange(name: "replicates", value: "\(replicates)", range: "at least 2")
        }
        try MetricError.requireConfidence(confidence)
        guard itemCount >= 2 else { return nil }
        var scores: [Double] = []
        scores.reserveCapacity(replicates)
        forEachReplicate(itemCount: itemCount) { indices in
            if let score = score(indices), !score.isNaN { scores.append(score) }
        }
        guard 2 * scores.count > replicates else { return nil }
        scores.sort()
        let freedom = Double(itemCount - 1)
        let reach =
            Quantile.studentT((1 - confidence) / 2, degreesOfFreedom: freedom)
            * (Double(itemCount) / freedom).squareRoot()
        let tail = Quantile.normalTail(-reach)
        return ConfidenceInterval(
            lower: Quantile.ofSorted(scores, tail), upper: Quantile.ofSorted(scores, 1 - tail),
            confidence: confidence)
    }
}

extension SeededGenerator {
    /// A number from 0 to `count` - 1, every one equally likely.
    ///
    /// - Source: Lemire 2019, "Fast random integer generation in an interval".
    fileprivate mutating func unbiasedIndex(below count: Int) -> Int {
        let bound = UInt64(count)
        var product = next().multipliedFullWidth(by: bound)
        if product.low < bound {
            let threshold = (0 &- bound) % bound
            while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
        }
        return Int(product.high)
    }
}
