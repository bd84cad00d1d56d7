import BitplanKernels
import BitplanMetrics
import BitplanTensors
import Foundation

/// A label for a text or a pair of texts, measured by accuracy, F1 and Matthews correlation.
package struct TextClassification: Task {
    /// How texts become sequences.
    let input: EncoderInput
    /// Names of the classes, in their order.
    let labels: [String]

    /// Reads `text<TAB>label` or `text<TAB>text<TAB>label`; without labels a text a line, or
    /// `text<TAB>text<TAB>`.
    ///
    /// - Throws: `DataError` where there is not one file; `FileError` where a line has other columns or an
    ///   unknown label, or only some lines have labels.
    package func dataset(
        _ files: [URL], limit: Int?, windows: TextWindows?
    ) throws -> Dataset<EncoderNetwork.Example> {
        try refuse(windows)
        let (file, rows) = try input.rows(
            files, counts: 2...3, form: "text<TAB>label or text<TAB>text<TAB>label")
        var examples: [EncoderNetwork.Example] = []
        var references: [String] = []
        for row in rows.prefix(limit ?? .max) {
            guard let text = row.answer else {
                examples.append(.init([input.sequence(row.texts)]))
                continue
            }
            guard let label = labels.firstIndex(of: text) ?? Int(text), labels.indices.contains(label) else {
                throw FileError(
                    file,
                    "\(row.place): '\(text)' is no label: expected 0 to \(labels.count - 1) or one of \(labels.joined(separator: ", "))"
                )
            }
            examples.append(.init([input.sequence(row.texts)], label: label))
            references.append(labels[label])
        }
        return Dataset(examples: examples, references: references)
    }

    /// Accuracy, F1 (that of class 1 where there are two, else the mean over the classes) and Matthews
    /// correlation.
    package func score(
        _ network: EncoderNetwork, on data: Dataset<EncoderNetwork.Example>, options: TaskOptions
    ) throws -> TaskScore {
        let outputs = try input.vectors(network, data.examples, options)
        let predictions = outputs.map { Self.best(network.logits($0)).label }
        let tokens = data.examples.reduce(0) { $0 + network.tokenCount($1) }
        let answers = predictions.map { labels[$0] }
        guard data.hasReferences else {
            return TaskScore(values: [], signature: "", tokens: tokens, outputs: answers)
        }
        let right = data.examples.map { $0.label ?? 0 }
        let f1 =
            labels.count == 2
            ? try Classification.f1(predictions: predictions, labels: right)
            : try Classification.macroF1(predictions: predictions, labels: right)
        return TaskScore(
            values: [
                .init(
                    name: "accuracy",
                    value: try Classification.accuracy(predictions: predictions, labels: right)),
                .init(name: "f1", value: f1),
                .init(
                    name: "matthews",
                    value: try Classification.matthewsCorrelation(predictions: predictions, labels: right)),
            ],
            signature: "accuracy|classes:\(labels.count)|length:\(input.maximumLength)",
            tokens: tokens, outputs: answers, items: .accuracy(isRight: zip(predictions, right).map(==)))
    }

    /// Answers a line, or two texts separated by a tab, with `label<TAB>probability`.
    ///
    /// - Throws: `LineError` where a line has more than two texts.
    package func run(_ network: EncoderNetwork, lines: [String], options: TaskOptions) throws -> [String] {
        let examples = try input.texts(lines).map { EncoderNetwork.Example([input.sequence($0)]) }
        return try input.vectors(network, examples, options).map { output in
            let (label, probability) = Self.best(network.logits(output))
            return "\(labels[label])\t" + String(format: "%.4f", probability)
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
}
