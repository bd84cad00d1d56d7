import BitplanMetrics
import BitplanTensors
import Foundation

/// All labels that hold for a text or a pair of texts, each by itself, measured by how often all are right
/// and by F1.
package struct TextLabelling: Task {
    /// How texts become sequences.
    let input: EncoderInput
    /// Names of the labels, in their order.
    let labels: [String]

    /// What stands in the place of labels where none holds.
    static let none = "-"

    /// Reads `text<TAB>labels` or `text<TAB>text<TAB>labels`, names or numbers with commas between, `-` for
    /// none of them; without labels a text a line, or `text<TAB>text<TAB>`.
    ///
    /// - Throws: `DataError` where there is not one file; `FileError` where a line has other columns or an
    ///   unknown label, or only some lines have labels.
    package func dataset(
        _ files: [URL], limit: Int?, windows: TextWindows?
    ) throws -> Dataset<EncoderNetwork.Example> {
        try refuse(windows)
        let (file, rows) = try input.rows(
            files, counts: 2...3, form: "text<TAB>labels or text<TAB>text<TAB>labels")
        var examples: [EncoderNetwork.Example] = []
        var references: [String] = []
        for row in rows.prefix(limit ?? .max) {
            let marks = try row.answer.map { try self.marks($0, row.place, file) }
            examples.append(.init([input.sequence(row.texts)], marks: marks))
            if let marks { references.append(names(marks)) }
        }
        return Dataset(examples: examples, references: references)
    }

    private func marks(_ text: String, _ place: String, _ file: URL) throws -> [Bool] {
        var marks = [Bool](repeating: false, count: labels.count)
        if text == Self.none, !labels.contains(text) { return marks }
        for name in text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
            guard let label = labels.firstIndex(of: name) ?? Int(name), labels.indices.contains(label) else {
                throw FileError(
                    file,
                    "\(place): '\(name)' is no label: expected some of 0 to \(labels.count - 1) or \(labels.joined(separator: ", ")) with commas between, or \(Self.none)"
                )
            }
            marks[label] = true
        }
        return marks
    }

    private func names(_ marks: [Bool]) -> String {
        let names = zip(labels, marks).filter(\.1).map(\.0)
        return names.isEmpty ? Self.none : names.joined(separator: ",")
    }

    /// The share of texts whose labels are all right, and F1 over all labels of all texts together
    /// (micro-averaged; 0 where nothing is predicted or right).
    package func score(
        _ network: EncoderNetwork, on data: Dataset<EncoderNetwork.Example>, options: TaskOptions
    ) throws -> TaskScore {
        let predictions = try input.vectors(network, data.examples, options).map { $0.storage.map { $0 > 0 } }
        let tokens = data.examples.reduce(0) { $0 + network.tokenCount($1) }
        let answers = predictions.map(names)
        guard data.hasReferences else {
            return TaskScore(values: [], signature: "", tokens: tokens, outputs: answers)
        }
        let right = data.examples.map { $0.marks ?? [] }
        let isRight = zip(predictions, right).map { $0 == $1 }
        let pairs = zip(predictions, right).flatMap { zip($0, $1) }
        let (both, either) = (
            pairs.count { $0 && $1 }, pairs.reduce(0) { $0 + ($1.0 ? 1 : 0) + ($1.1 ? 1 : 0) }
        )
        return TaskScore(
            values: [
                .init(
                    name: "accuracy", value: Double(isRight.count { $0 }) / Double(max(1, isRight.count))),
                .init(name: "f1", value: either == 0 ? 0 : 2 * Double(both) / Double(either)),
            ],
            signature: "accuracy|labels:\(labels.count)|length:\(input.maximumLength)",
            tokens: tokens, outputs: answers, items: .accuracy(isRight: isRight))
    }

    /// Answers a line, or two texts separated by a tab, with `labels<TAB>probabilities`: the labels that hold
    /// more likely than not, with commas between; `-` and the highest probability where none does.
    ///
    /// - Throws: `LineError` where a line has more than two texts.
    package func run(_ network: EncoderNetwork, lines: [String], options: TaskOptions) throws -> [String] {
        let examples = try input.texts(lines).map { EncoderNetwork.Example([input.sequence($0)]) }
        return try input.vectors(network, examples, options).map { scores in
            let shown = scores.storage.filter { $0 > 0 }
            let odds = shown.isEmpty ? scores.storage.max().map { [$0] } ?? [] : shown
            let probabilities = odds.map { String(format: "%.4f", 1 / (1 + exp(-Double($0)))) }
            return names(scores.storage.map { $0 > 0 }) + "\t" + probabilities.joined(separator: ",")
        }
    }
}
