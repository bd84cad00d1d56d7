/// A mean per token or per sample with its standard error, from independent samples (sentences).
package struct Estimate: Codable, Hashable, Sendable {
    /// The estimated mean.
    package var value: Double
    /// The standard error of `value`.
    package var standardError: Double
    /// How many independent samples it was estimated from, at least 2.
    package var sampleCount: Int

    /// The distribution that an interval is taken from.
    package enum Distribution: Hashable, Sendable {
        /// The normal distribution: for many samples.
        case normal
        /// Student's t with `sampleCount - 1` degrees of freedom: wider for few samples.
        case studentT
    }

    /// The mean of the values, and `sd / sqrt(n)`.
    ///
    /// - Throws: `MetricError.tooFewSamples` below two, since one value says nothing about its spread.
    package init(meanOf values: [Double]) throws(MetricError) {
        try MetricError.requireSamples("a mean with its standard error", values.count, atLeast: 2)
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        self.init(
            value: mean, standardError: (squares / (count * (count - 1))).squareRoot(),
            sampleCount: values.count)
    }

    /// The mean loss per token over sentences of different length.
    ///
    /// The ratio estimator `R = sum x_i / sum n_i`, with the standard error that the delta method gives it,
    /// sentences being the independent samples (tokens of one sentence are not):
    ///
    ///     se = sqrt(m / (m - 1) * sum (x_i - R n_i)^2) / sum n_i
    ///
    /// - Source: Cochran, Sampling Techniques, section 2.11 (without its correction for finite populations).
    /// - Throws: `MetricError.tooFewSamples` below two sentences, `.nothingToDivideBy` without a token.
    package init(perTokenOf losses: [TokenLoss]) throws(MetricError) {
        try MetricError.requireSamples("a mean with its standard error", losses.count, atLeast: 2)
        let total = losses.reduce(.zero, +)
        guard let mean = total.natsPerToken else {
            throw .nothingToDivideBy(metric: "loss per token", unit: "tokens")
        }
        let count = Double(losses.count)
        let squares = losses.reduce(0) {
            let residual = $1.nats - mean * Double($1.tokens)
            return $0 + residual * residual
        }
        self.init(
            value: mean,
            standardError: (count / (count - 1) * squares).squareRoot() / Double(total.tokens),
            sampleCount: losses.count)
    }

    /// The mean difference candidate - baseline per token, from the differences of each sentence.
    ///
    /// What both systems find hard or easy about a sentence cancels, so this is far tighter than the
    /// difference of two estimates. Equal systems give exactly 0 with an error of 0.
    ///
    /// - Throws: `MetricError.lengthMismatch`, `.unpairedTokens` where a sentence has another number of
    ///   tokens in one system, and what `init(perTokenOf:)` throws.
    package static func pairedDifference(
        baseline: [TokenLoss], candidate: [TokenLoss]
    ) throws(MetricError) -> Estimate {
        try MetricError.requireEqualCounts("baseline", baseline.count, "candidate", candidate.count)
        var differences: [TokenLoss] = []
        differences.reserveCapacity(baseline.count)
        for (index, (baseline, candidate)) in zip(baseline, candidate).enumerated() {
            guard baseline.tokens == candidate.tokens else {
                throw .unpairedTokens(index: index, baseline: baseline.tokens, candidate: candidate.tokens)
            }
            differences.append(TokenLoss(nats: candidate.nats - baseline.nats, tokens: baseline.tokens))
        }
        return try Estimate(perTokenOf: differences)
    }

    /// The two-sided interval `value +- quantile * standardError`.
    ///
    /// - Throws: `MetricError.settingOutOfRange` unless the confidence lies between 0 and 1.
    package func interval(
        confidence: Double = 0.95, _ distribution: Distribution = .studentT
    ) throws(MetricError) -> ConfidenceInterval {
        try MetricError.requireConfidence(confidence)
        // By the lower tail, which keeps its digits where the confidence is close to 1.
        let tail = (1 - confidence) / 2
        let quantile =
            switch distribution {
            case .normal: -Quantile.normal(tail)
            case .studentT: -Quantile.studentT(tail, degreesOfFreedom: Double(sampleCount - 1))
            }
        let reach = quantile * standardError
        return ConfidenceInterval(lower: value - reach, upper: value + reach, confidence: confidence)
    }

    private init(value: Double, standardError: Double, sampleCount: Int) {
        self.value = value
        self.standardError = standardError
        self.sampleCount = sampleCount
    }
}

/// A two-sided confidence interval.
package struct ConfidenceInterval: Codable, Hashable, Sendable {
    /// The lower end.
    package var lower: Double
    /// The upper end.
    package var upper: Double
    /// The share of such intervals that cover the true value, e.g. 0.95.
    package var confidence: Double

    /// Makes an interval from its ends.
    package init(lower: Double, upper: Double, confidence: Double) {
        self.lower = lower
        self.upper = upper
        self.confidence = confidence
    }

    /// Whether the value lies inside, ends included.
    package func contains(_ value: Double) -> Bool { lower <= value && value <= upper }
}
