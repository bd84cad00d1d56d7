import BitplanKernels
import BitplanMetrics
import BitplanTensors
import Foundation

/// Vectors of texts, measured by how well their cosines rank pairs as people do.
package struct SentenceSimilarity: Task {
    /// How texts become sequences.
    let input: EncoderInput
    /// How states become a vector.
    let pooling: Pooling
    /// Whether vectors are answered with length 1.
    let isNormalized: Bool

    /// Reads `text<TAB>text<TAB>score`; without scores a text a line, or `text<TAB>text<TAB>`.
    ///
    /// - Throws: `DataError` where there is not one file; `FileError` where a line has other columns or a
    ///   score that is no number, or only some lines have scores.
    package func dataset(
        _ files: [URL], limit: Int?, windows: TextWindows?
    ) throws -> Dataset<EncoderNetwork.Example> {
        try refuse(windows)
        let (file, rows) = try input.rows(files, counts: 3...3, form: "text<TAB>text<TAB>score")
        let anchors = anchors(rows)
        var examples: [EncoderNetwork.Example] = []
        var references: [String] = []
        for row in rows.prefix(limit ?? .max) {
            examples.append(.init(input.sequences(row.texts), anchors: anchors))
            if let score = try row.score(file) { references.append(score) }
        }
        return Dataset(examples: examples, references: references)
    }

    /// Texts that stand evenly spaced in the whole of the data, whatever part of it is measured.
    private func anchors(_ rows: [EncoderInput.Row]) -> SentenceAnchors {
        let count = min(SentenceAnchors.count, rows.count)
        let texts = (0..<count).compactMap { place in
            rows[place * rows.count / count].texts.first { !$0.isEmpty }
        }
        return SentenceAnchors(input.sequences(texts))
    }

    /// Spearman and Pearson correlation of cosines and scores.
    package func score(
        _ network: EncoderNetwork, on data: Dataset<EncoderNetwork.Example>, options: TaskOptions
    ) throws -> TaskScore {
        let cosines = try input.vectors(network, data.examples, options).map(Self.cosine)
        let tokens = data.examples.reduce(0) { $0 + network.tokenCount($1) }
        return try .correlations(
            of: cosines, with: data.references,
            signature: "Spearman|similarity:cosine|pooling:\(pooling)|length:\(input.maximumLength)",
            tokens: tokens)
    }

    /// Answers a line with its vector, numbers separated by spaces, and two texts separated by a tab with
    /// their cosine.
    ///
    /// - Throws: `LineError` where a line has more than two texts.
    package func run(_ network: EncoderNetwork, lines: [String], options: TaskOptions) throws -> [String] {
        let examples = try input.texts(lines).map { EncoderNetwork.Example(input.sequences($0)) }
        return try input.vectors(network, examples, options).map { output in
            if output.rows == 2 { return String(format: "%.4f", Self.cosine(output)) }
            return (isNormalized ? output.normalizingRows() : output).storage.map { String($0) }.joined(
                separator: " ")
        }
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
