/// Seeded bootstrap resampling: intervals for metrics of a whole corpus, where a mean's standard error does
/// not apply.
///
/// Each replicate draws as many samples (sentences) as there are, with replacement, and scores them. Seed and
/// number of samples alone decide what is drawn, so metrics and systems scored on the same data share their
/// resamples, and the same call gives the same bits on every machine.
///
/// - Source: Efron 1979; Koehn 2004 for translation.
package struct Bootstrap: Codable, Hashable, Sendable {
    /// How many resamples are scored.
    package var replicates: Int
    /// What all draws follow from.
    package var seed: UInt64
    /// The confidence of the intervals.
    package var confidence: Double

    /// Makes the settings; the defaults are sacreBLEU's.
    package init(replicates: Int = 1000, seed: UInt64 = 12345, confidence: Double = 0.95) {
        self.replicates = replicates
        self.seed = seed
        self.confidence = confidence
    }

    /// The interval of a metric of summed statistics.
    ///
    ///     Bootstrap().estimate(sentences, score: BLEU().score)
    ///
    /// - Complexity: O(replicates * samples) additions.
    /// - Throws: as `estimate(sampleCount:score:)`.
    @inlinable  // The additions are the work; they are specialized where they are called.
    package func estimate<Statistics: AdditiveArithmetic>(
        _ statistics: [Statistics], score: (Statistics) -> Double
    ) throws(MetricError) -> BootstrapEstimate {
        try estimate(sampleCount: statistics.count) { indices in
            var sum = Statistics.zero
            for index in indices { sum += statistics[index] }
            return score(sum)
        }
    }

    /// The interval of any metric of samples, given by their indices; for rank correlations and the like.
    ///
    /// - Parameter score: The metric of the samples at the indices (with repetitions); NaN where it is
    ///   undefined, such replicates are left out.
    /// - Throws: `MetricError.settingOutOfRange`, `.tooFewSamples` without samples, `.undefined` where the
    ///   metric of the whole data or nearly all replicates are undefined.
    package func estimate(
        sampleCount: Int, score: ([Int]) -> Double
    ) throws(MetricError) -> BootstrapEstimate {
        let scores = try replicateScores(sampleCount: sampleCount, score: score)
        return try summary(value: score(Array(0..<sampleCount)), scores)
    }

    /// Whether a candidate differs from a baseline on the same sentences: both are scored on each resample.
    ///
    /// - Complexity: O(replicates * samples) additions.
    /// - Throws: `MetricError.lengthMismatch`, and as `estimate(sampleCount:score:)`.
    @inlinable
    package func pairedDifference<Statistics: AdditiveArithmetic>(
        baseline: [Statistics], candidate: [Statistics], score: (Statistics) -> Double
    ) throws(MetricError) -> PairedBootstrap {
        guard baseline.count == candidate.count else {
            throw .lengthMismatch(
                first: "baseline", count: baseline.count, second: "candidate", otherCount: candidate.count)
        }
        return try pairedDifference(sampleCount: baseline.count) { indices in
            var (baselineSum, candidateSum) = (Statistics.zero, Statistics.zero)
            for index in indices {
                baselineSum += baseline[index]
                candidateSum += candidate[index]
            }
            return (score(baselineSum), score(candidateSum))
        }
    }

    /// The same for any metric of samples, given by their indices.
    ///
    /// - Parameter scores: Both systems' metric of the samples at the indices; NaN where it is undefined.
    /// - Throws: as `estimate(sampleCount:score:)`.
    package func pairedDifference(
        sampleCount: Int, scores: ([Int]) -> (baseline: Double, candidate: Double)
    ) throws(MetricError) -> PairedBootstrap {
        let differences = try replicateScores(sampleCount: sampleCount) { indices in
            let pair = scores(indices)
            return pair.candidate - pair.baseline
        }
        let observed = scores(Array(0..<sampleCount))
        let difference = try summary(value: observed.candidate - observed.baseline, differences)
        let sizes = differences.map(abs)
        let meanSize = sizes.reduce(0, +) / Double(sizes.count)
        let exceeding = sizes.reduce(0) { $0 + ($1 - meanSize >= abs(difference.value) ? 1 : 0) }
        return PairedBootstrap(
            baseline: observed.baseline, candidate: observed.candidate, difference: difference,
            pValue: Double(exceeding + 1) / Double(sizes.count + 1))
    }

    private func replicateScores(
        sampleCount: Int, score: ([Int]) -> Double
    ) throws(MetricError) -> [Double] {
        guard replicates >= 2 else {
            throw .settingOutOfRange(name: "replicates", value: "\(replicates)", range: "at least 2")
        }
        try MetricError.requireConfidence(confidence)
        try MetricError.requireSamples("a bootstrap", sampleCount, atLeast: 1)
        var generator = SplitMix64(seed: seed)
        var indices = [Int](repeating: 0, count: sampleCount)
        var scores: [Double] = []
        scores.reserveCapacity(replicates)
        for _ in 0..<replicates {
            for draw in indices.indices { indices[draw] = Int(generator.next(below: UInt64(sampleCount))) }
            scores.append(score(indices))
        }
        scores.removeAll(where: \.isNaN)
        return scores
    }

    private func summary(value: Double, _ scores: [Double]) throws(MetricError) -> BootstrapEstimate {
        guard !value.isNaN else {
            throw .undefined(metric: "the metric", reason: "it is NaN on the whole data")
        }
        guard !scores.isEmpty else {
            throw .undefined(metric: "a bootstrap", reason: "every replicate is NaN")
        }
        let count = Double(scores.count)
        let mean = scores.reduce(0, +) / count
        let squares = scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let sorted = scores.sorted()
        let tail = (1 - confidence) / 2
        return BootstrapEstimate(
            value: value, mean: mean, standardError: (squares / (count - 1)).squareRoot(),
            interval: ConfidenceInterval(
                lower: Quantile.ofSorted(sorted, tail), upper: Quantile.ofSorted(sorted, 1 - tail),
                confidence: confidence),
            replicates: scores.count)
    }
}

/// A metric of the whole data and its spread over resamples.
package struct BootstrapEstimate: Codable, Hashable, Sendable {
    /// The metric of the data themselves.
    package var value: Double
    /// The mean over the replicates.
    package var mean: Double
    /// The standard deviation over the replicates.
    package var standardError: Double
    /// The percentile interval over the replicates.
    package var interval: ConfidenceInterval
    /// How many replicates it is made of: those asked for, less the undefined ones.
    package var replicates: Int
}

/// Two systems compared on shared resamples.
package struct PairedBootstrap: Codable, Hashable, Sendable {
    /// The baseline's score.
    package var baseline: Double
    /// The candidate's score.
    package var candidate: Double
    /// The difference candidate - baseline.
    package var difference: BootstrapEstimate
    /// The two-sided p-value of the hypothesis that the systems do not differ.
    ///
    /// As sacreBLEU: how often the size of a resampled difference exceeds the mean size by the size observed,
    /// over B + 1. Ties count, so equal systems have p = 1, where sacreBLEU's strict comparison gives them 1
    /// / (B + 1).
    package var pValue: Double
}
