/// Metrics of predicted labels, as scikit-learn defines them, undefined cases included.
///
/// Labels are any integers. All throw `MetricError.lengthMismatch`, and `.tooFewSamples` on no samples; all
/// are O(samples), those over several labels O(samples + labels log labels).
package enum Classification {
    /// The share of predictions that equal their label.
    package static func accuracy(predictions: [Int], labels: [Int]) throws(MetricError) -> Double {
        try require("accuracy", predictions, labels)
        let correct = zip(predictions, labels).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) }
        return Double(correct) / Double(labels.count)
    }

    /// `2 TP / (2 TP + FP + FN)` of one label against the rest; 0 where the label occurs on neither side
    /// (scikit-learn: `f1_score`, with a warning).
    package static func f1(
        predictions: [Int], labels: [Int], positiveLabel: Int = 1
    ) throws(MetricError) -> Double {
        try require("F1", predictions, labels)
        return Confusion(predictions, labels).f1(positiveLabel)
    }

    /// The unweighted mean of F1 over all labels that occur among predictions or labels.
    package static func macroF1(predictions: [Int], labels: [Int]) throws(MetricError) -> Double {
        try require("macro F1", predictions, labels)
        let confusion = Confusion(predictions, labels)
        // In sorted order: a sum of doubles in dictionary order would differ from run to run.
        let all = Set(predictions).union(labels).sorted()
        return all.reduce(0) { $0 + confusion.f1($1) } / Double(all.count)
    }

    /// Matthews correlation coefficient, in its form for any number of labels; 0 where predictions or labels
    /// are constant.
    ///
    ///     (c s - sum_k t_k p_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2))
    ///
    /// with s samples, c correct, label k occurring t_k times and predicted p_k times.
    ///
    /// - Source: Gorodkin 2004.
    package static func matthewsCorrelation(predictions: [Int], labels: [Int]) throws(MetricError) -> Double {
        try require("Matthews correlation", predictions, labels)
        let confusion = Confusion(predictions, labels)
        // Integers below 2^53, so these sums are exact and their order does not matter.
        func product(_ a: [Int: Int], _ b: [Int: Int]) -> Double {
            a.reduce(0) { $0 + Double($1.value) * Double(b[$1.key, default: 0]) }
        }
        let (predicted, actual) = (confusion.predicted, confusion.actual)
        let samples = Double(labels.count)
        let correct = Double(confusion.correct.values.reduce(0, +))
        let covariance = correct * samples - product(actual, predicted)
        let variances =
            (samples * samples - product(predicted, predicted))
            * (samples * samples - product(actual, actual))
        return variances == 0 ? 0 : covariance / variances.squareRoot()
    }

    private static func require(
        _ metric: String, _ predictions: [Int], _ labels: [Int]
    ) throws(MetricError) {
        try MetricError.requireEqualCounts("predictions", predictions.count, "labels", labels.count)
        try MetricError.requireSamples(metric, labels.count, atLeast: 1)
    }

    private struct Confusion {
        var correct: [Int: Int] = [:]
        var predicted: [Int: Int] = [:]
        var actual: [Int: Int] = [:]

        init(_ predictions: [Int], _ labels: [Int]) {
            for (prediction, label) in zip(predictions, labels) {
                predicted[prediction, default: 0] += 1
                actual[label, default: 0] += 1
                if prediction == label { correct[label, default: 0] += 1 }
            }
        }

        func f1(_ label: Int) -> Double {
            let denominator = predicted[label, default: 0] + actual[label, default: 0]
            return denominator == 0 ? 0 : Double(2 * correct[label, default: 0]) / Double(denominator)
        }
    }
}
