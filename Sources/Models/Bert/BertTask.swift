import BitplanKernels
import BitplanMetrics
import BitplanTensors
import Foundation

// What a BERT model answers, and how well.

extension BertFamily {
    /// Accuracy, F1 and Matthews correlation of a classifier; Spearman and Pearson correlation of a sentence encoder's cosines.
    ///
    /// F1 is that of class 1 where there are two, else the mean over the classes. A correlation that is not defined (all cosines or
    /// all scores equal) counts as 0.
    package func score(
        _ network: BertNetwork, on data: Dataset<BertNetwork.Example>, options: TaskOptions
    ) throws -> TaskScore {
        let tokens = data.examples.reduce(0) { $0 + network.tokens($1).count }
        let outputs = try vectors(network, data.examples, options)
        switch configuration.task {
        case .classification(let names):
            let predictions = outputs.map { BertFamily.best(network.logits($0)).label }
            let labels = data.examples.map { $0.label ?? 0 }
            let f1 =
                names.count == 2
                ? try Classification.f1(predictions: predictions, labels: labels)
                : try Classification.macroF1(predictions: predictions, labels: labels)
            return TaskScore(
                values: [
                    .init(
                        name: "accuracy",
                        value: try Classification.accuracy(predictions: predictions, labels: labels)),
                    .init(name: "f1", value: f1),
                    .init(
                        name: "matthews",
                        value: try Classification.matthewsCorrelation(
                            predictions: predictions, labels: labels)),
                ],
                signature: "accuracy|classes:\(names.count)|length:\(configuration.maximumLength)",
                tokens: tokens,
                outputs: predictions.map { names[$0] })
        case .embedding(let pooling, _):
            let cosines = outputs.map(BertFamily.cosine)
            let scores = data.references.compactMap(Double.init)
            return TaskScore(
                values: [
                    .init(name: "spearman", value: try Correlation.spearman(cosines, scores) ?? 0),
                    .init(name: "pearson", value: try Correlation.pearson(cosines, scores) ?? 0),
                ],
                signature:
                    "Spearman|similarity:cosine|pooling:\(pooling)|length:\(configuration.maximumLength)",
                tokens: tokens,
                outputs: cosines.map { String($0) })
        }
    }

    /// A classifier answers a line, or two texts separated by a tab, with `label<TAB>probability`; a sentence encoder answers a line with
    /// its vector, numbers separated by spaces, and two texts with their cosine.
    ///
    /// - Throws: `LineError` where a line has more than two texts.
    package func run(_ network: BertNetwork, lines: [String], options: TaskOptions) throws -> [String] {
        let examples = try lines.enumerated().map { index, line in
            let texts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard texts.count <= 2 else {
                throw LineError(
                    index: index, "has \(texts.count) texts: expected one or two separated by a tab")
            }
            return BertNetwork.Example(sequences(texts.isEmpty ? [""] : texts))
        }
        return try vectors(network, examples, options).map { output in
            switch configuration.task {
            case .classification(let labels):
                let (label, probability) = BertFamily.best(network.logits(output))
                return "\(labels[label])\t" + String(format: "%.4f", probability)
            case .embedding(_, let isNormalized):
                if output.rows == 2 { return String(format: "%.4f", BertFamily.cosine(output)) }
                return (isNormalized ? output.normalizingRows() : output).storage.map { String($0) }.joined(
                    separator: " ")
            }
        }
    }

    /// The likeliest class of one row of logits, the first of several, and its probability.
    private static func best(_ logits: Matrix) -> (label: Int, probability: Float) {
        var probabilities = logits.storage
        softmax(&probabilities, count: probabilities.count)
        var best = 0
        for index in probabilities.indices where probabilities[index] > probabilities[best] { best = index }
        return (best, probabilities[best])
    }

    /// The cosine of the two rows of a pair.
    private static func cosine(_ pair: Matrix) -> Double {
        guard pair.rows == 2 else { return 0 }
        var (product, left, right) = (0.0, 0.0, 0.0)
        for (a, b) in zip(pair[row: 0], pair[row: 1]) {
            product += Double(a) * Double(b)
            left += Double(a) * Double(a)
            right += Double(b) * Double(b)
        }
        return product / max((left * right).squareRoot(), 1e-16)
    }
}
