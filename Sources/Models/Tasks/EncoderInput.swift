import BitplanTensors
import BitplanTokenizers
import Foundation

/// How texts become an encoder's sequences, and its sequences vectors: what classification and similarity
/// share.
struct EncoderInput: Sendable {
    /// The tokenizer.
    let tokenizer: any EncoderTokenizer
    /// Longer inputs are cut there, as the models' own tools cut them.
    let maximumLength: Int
    /// Whether texts become lower case before the tokenizer sees them.
    let lowercasesTexts: Bool
    /// How many types tell the texts of a pair apart.
    let types: Int

    /// A line of data: one or two texts, and the label or score behind them.
    struct Row {
        /// `line 3`, for errors.
        let place: String
        /// One text, or two.
        let texts: [String]
        /// nil where the data have none.
        let answer: String?

        /// The answer, which has to be a number; `FileError` where it is none.
        func score(_ file: URL) throws(FileError) -> String? {
            guard let answer else { return nil }
            guard let value = Double(answer), value.isFinite else {
                throw FileError(file, "\(place): '\(answer)' is no score: expected a number")
            }
            return answer
        }
    }

    /// The lines of the one file of tab-separated values, without header or quoting.
    ///
    /// The last column is the answer. A file without answers has one text a line, or an empty last column; as
    /// the first line is, so are all.
    /// - Parameter form: what a line is expected to be, for errors.
    /// - Throws: `DataError` where there is not one file; `FileError` where it cannot be read, has no line
    ///   with a text, a line has more columns than `counts` admits, or some lines have answers and others
    ///   have not.
    func rows(_ files: [URL], counts: ClosedRange<Int>, form: String) throws -> (file: URL, rows: [Row]) {
        guard files.count == 1, let file = files.first else {
            throw DataError.files(files, expected: "one file of tab-separated values")
        }
        var rows: [Row] = []
        for (index, line) in try TextFile.lines(file).enumerated() {
            var columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            let place = "line \(index + 1)"
            guard columns.count <= 1 || counts.contains(columns.count) else {
                throw FileError(
                    file,
                    "\(place): expected \(form), or a text alone on every line, got \(columns.count) columns")
            }
            let last = columns.count > 1 ? columns.removeLast() : ""
            let row = Row(
                place: place, texts: columns.isEmpty ? [""] : columns, answer: last.isEmpty ? nil : last)
            if let first = rows.first, (first.answer == nil) != (row.answer == nil) {
                func what(_ row: Row) -> String { row.answer == nil ? "texts alone" : form }
                throw FileError(file, "\(place): expected \(what(first)) as in line 1, got \(what(row))")
            }
            rows.append(row)
        }
        guard rows.contains(where: { $0.texts.contains { !$0.isEmpty } }) else {
            throw FileError(file, "has no text: expected \(form), or a text alone on every line")
        }
        return (file, rows)
    }

    /// The one or two texts of every line that is to be answered.
    ///
    /// - Throws: `LineError` where a line has more.
    func texts(_ lines: [String]) throws(LineError) -> [[String]] {
        var all: [[String]] = []
        for (index, line) in lines.enumerated() {
            let texts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard texts.count <= 2 else {
                throw LineError(
                    index: index, "has \(texts.count) texts: expected one or two separated by a tab")
            }
            all.append(texts.isEmpty ? [""] : texts)
        }
        return all
    }

    /// A sequence for each text.
    func sequences(_ texts: [String]) -> [TokenSequence] {
        texts.map {
            withKnownTypes(tokenizer.encode(folded($0), pairedWith: nil, maximumLength: maximumLength))
        }
    }

    /// One text, or a pair in one sequence.
    func sequence(_ texts: [String]) -> TokenSequence {
        withKnownTypes(
            tokenizer.encode(
                folded(texts[0]), pairedWith: texts.count == 2 ? folded(texts[1]) : nil,
                maximumLength: maximumLength))
    }

    /// With a locale, a sigma at the end of a word becomes another letter, as in Python.
    private func folded(_ text: String) -> String {
        lowercasesTexts ? text.lowercased(with: Locale(identifier: "en_US_POSIX")) : text
    }

    /// Types that the model has: one that tells no texts apart has only type 0.
    private func withKnownTypes(_ sequence: TokenSequence) -> TokenSequence {
        guard types == 1 else { return sequence }
        return TokenSequence(
            ids: sequence.ids, typeIDs: [Int](repeating: 0, count: sequence.typeIDs.count))
    }

    /// The network's vectors for every item, one row per sequence, batch by batch; the rows do not depend on
    /// the batches.
    func vectors(
        _ network: EncoderNetwork, _ examples: [EncoderNetwork.Example], _ options: TaskOptions
    ) throws -> [Matrix] {
        let size = max(1, options.batchSize)
        let starts = Array(stride(from: 0, to: examples.count, by: size))
        let batches = try concurrentMap(count: starts.count, threads: options.threads) { index in
            network.vectors(
                network.state(Array(examples[starts[index]..<min(starts[index] + size, examples.count)])))
        }
        var vectors: [Matrix] = []
        for (start, batch) in zip(starts, batches) {
            var row = 0
            for example in examples[start..<min(start + size, examples.count)] {
                vectors.append(batch.slice(rows: row..<row + example.sequences.count))
                row += example.sequences.count
            }
        }
        return vectors
    }
}
