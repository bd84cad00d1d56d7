/// What can be wrong with the data or settings that a metric is given.
package enum MetricError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Two lists that belong together differ in length, e.g. hypotheses and references.
    case lengthMismatch(first: String, count: Int, second: String, otherCount: Int)
    /// The metric needs at least `minimum` samples.
    case tooFewSamples(metric: String, count: Int, minimum: Int)
    /// The samples have no tokens (or bytes) at all, so a mean per token does not exist.
    case nothingToDivideBy(metric: String, unit: String)
    /// Two systems are said to be scored on the same tokens, but sample `index` differs.
    case unpairedTokens(index: Int, baseline: Int, candidate: Int)
    /// A setting lies outside its range.
    case settingOutOfRange(name: String, value: String, range: String)

    /// One line: what, where, expected, got.
    package var description: String {
        switch self {
        case .lengthMismatch(let first, let count, let second, let otherCount):
            "\(first) and \(second) must be of equal length: got \(count) and \(otherCount)"
        case .tooFewSamples(let metric, let count, let minimum):
            "\(metric) needs at least \(minimum) sample\(minimum == 1 ? "" : "s"), got \(count)"
        case .nothingToDivideBy(let metric, let unit):
            "\(metric) is undefined: the data have 0 \(unit)"
        case .unpairedTokens(let index, let baseline, let candidate):
            "sample \(index) is not paired: the baseline has \(baseline) tokens, the candidate \(candidate)"
        case .settingOutOfRange(let name, let value, let range):
            "\(name) must be \(range), got \(value)"
        }
    }

    static func requireEqualCounts(
        _ first: String, _ count: Int, _ second: String, _ otherCount: Int
    ) throws(MetricError) {
        guard count == otherCount else {
            throw .lengthMismatch(first: first, count: count, second: second, otherCount: otherCount)
        }
    }

    static func requireSamples(_ metric: String, _ count: Int, atLeast minimum: Int) throws(MetricError) {
        guard count >= minimum else {
            throw .tooFewSamples(metric: metric, count: count, minimum: minimum)
        }
    }

    static func requireConfidence(_ confidence: Double) throws(MetricError) {
        guard confidence > 0, confidence < 1 else {
            throw .settingOutOfRange(name: "confidence", value: "\(confidence)", range: "between 0 and 1")
        }
    }
}
