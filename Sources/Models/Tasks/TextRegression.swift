import BitplanMetrics
import BitplanTensors
import Foundation

/// A number for a text or a pair of texts, measured by how well numbers rank them as people do.
package struct TextRegression: Task {
    /// How texts become sequences.
    let input: EncoderInput

    /// Reads `text<TAB>score` or `text<TAB>text<TAB>score`; without scores a text a line, or
    /// `text<TAB>text<TAB>`.
    ///
    /// - Throws: `DataError` where there is not one file; `FileError` where a line has other columns or a
    ///   score that is no number, or only some lines have scores.
    package func dataset(
        _ files: [URL], limit: Int?, windows: TextWindows?
    ) throws -> Dataset<EncoderNetwork.Example> {
        try refuse(windows)
        let (file, rows) = try input.rows(
            files, counts: 2...3, form: "text<TAB>score or text<TAB>text<TAB>score")
        let kept = rows.prefix(limit ?? .max)
        return Dataset(
            examples: kept.map { .init([input.sequence($0.texts)]) },
            references: try kept.compactMap { try $0.score(file) })
    }

    /// Spearman and Pearson correlation of the model's numbers and the data's.
    package func score(
        _ network: EncoderNetwork, on data: Dataset<EncoderNetwork.Example>, options: TaskOptions
    ) throws -> TaskScore {
        let numbers = try input.vectors(network, data.examples, options).map { Double($0[0, 0]) }
        return try .correlations(
            of: numbers, with: data.references,
            signature: "Spearman|regression|length:\(input.maximumLength)",
            tokens: data.examples.reduce(0) { $0 + network.tokenCount($1) })
    }

    /// Answers a line, or two texts separated by a tab, with a number.
    ///
    /// - Throws: `LineError` where a line has more than two texts.
    package func run(_ network: EncoderNetwork, lines: [String], options: TaskOptions) throws -> [String] {
        let examples = try input.texts(lines).map { EncoderNetwork.Example([input.sequence($0)]) }
        return try input.vectors(network, examples, options).map { String(format: "%.4f", $0[0, 0]) }
    }
}

extension TaskScore {
    /// Spearman and Pearson correlation of predicted and right numbers, Spearman's first; one that is not
    /// defined (all of them equal) counts as 0. No values where `right` is empty.
    static func correlations(
        of predicted: [Double], with right: [String], signature: String, tokens: Int
    ) throws -> TaskScore {
        let outputs = predicted.map { String($0) }
        guard !right.isEmpty else {
            return TaskScore(values: [], signature: "", tokens: tokens, outputs: outputs)
        }
        let scores = right.compactMap(Double.init)
        return TaskScore(
            values: [
                .init(name: "spearman", value: try Correlation.spearman(predicted, scores) ?? 0),
                .init(name: "pearson", value: try Correlation.pearson(predicted, scores) ?? 0),
            ],
            signature: signature, tokens: tokens, outputs: outputs,
            items: .spearman(predicted: predicted, right: scores))
    }
}
