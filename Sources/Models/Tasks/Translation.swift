import BitplanMetrics
import BitplanTensors
import BitplanTokenizers
import Foundation

/// Translation of sentences, measured by BLEU and chrF2.
package struct Translation: Task {
    /// The tokenizers of both sides.
    let tokenizer: MarianTokenizer
    /// No sentence is longer in tokens.
    let maximumPositions: Int

    /// Reads a source file and a reference file, one sentence a line.
    ///
    /// - Throws: `DataError` where there are not two files; `FileError` where one is empty or not UTF-8,
    ///   their lengths differ, or a sentence has more tokens than the model has positions.
    package func dataset(
        _ files: [URL], limit: Int?, windows: TextWindows?
    ) throws -> Dataset<EncoderDecoderNetwork.Example> {
        try refuse(windows)
        guard files.count == 2 else {
            throw DataError.files(files, expected: "a source and a reference file")
        }
        let sources = try TextFile.lines(files[0])
        let references = try TextFile.lines(files[1])
        guard sources.count == references.count else {
            throw FileError(
                files[1], "has \(references.count) lines, the source \(files[0].path) has \(sources.count)")
        }
        let count = min(limit ?? sources.count, sources.count)
        var examples: [EncoderDecoderNetwork.Example] = []
        for index in 0..<count {
            let example = EncoderDecoderNetwork.Example(
                source: tokenizer.encodeSource(sources[index]),
                target: try tokenizer.encodeTarget(references[index]))
            for (file, ids) in [(files[0], example.source), (files[1], example.target)]
            where ids.count > maximumPositions {
                throw FileError(
                    file,
                    "line \(index + 1) has \(ids.count) tokens, the model has \(maximumPositions) positions"
                )
            }
            examples.append(example)
        }
        return Dataset(examples: examples, references: Array(references[..<count]))
    }

    /// BLEU and chrF2 of the translations.
    package func score(
        _ network: EncoderDecoderNetwork, on data: Dataset<EncoderDecoderNetwork.Example>,
        options: TaskOptions
    ) throws -> TaskScore {
        let ids = try translate(network, data.examples.map(\.source), options)
        let outputs = ids.map { tokenizer.decode($0) }
        let bleu = MetricItems.bleu(
            try BLEU().statistics(hypotheses: outputs, references: data.references))
        let chrF = try ChrF().corpusScore(hypotheses: outputs, references: data.references)
        return TaskScore(
            values: [.init(name: "bleu", value: bleu.value), .init(name: "chrf2", value: chrF)],
            signature: "BLEU|beam:\(options.beams)|" + BLEU().signature,
            tokens: ids.reduce(0) { $0 + $1.count },
            outputs: outputs, items: bleu)
    }

    /// Translates lines; `FileError` for one that has more tokens than the model has positions.
    package func run(_ network: EncoderDecoderNetwork, lines: [String], options: TaskOptions) throws
        -> [String]
    {
        let sources = try lines.enumerated().map { index, line in
            let ids = tokenizer.encodeSource(line)
            guard ids.count <= maximumPositions else {
                throw LineError(
                    index: index,
                    "has \(ids.count) tokens, the model has \(maximumPositions) positions")
            }
            return ids
        }
        return try translate(network, sources, options).map { tokenizer.decode($0) }
    }

    /// Translates in batches of similar length; the results stand in order of the sources.
    func translate(_ network: EncoderDecoderNetwork, _ sources: [[Int]], _ options: TaskOptions) throws
        -> [[Int]]
    {
        let order = sources.indices.sorted { (sources[$0].count, $0) < (sources[$1].count, $1) }
        let batches = stride(from: 0, to: order.count, by: options.batchSize).map {
            Array(order[$0..<min($0 + options.batchSize, order.count)])
        }
        let translated = try concurrentMap(count: batches.count, threads: options.threads) { index in
            network.translate(
                batches[index].map { sources[$0] }, beams: options.beams, maximumLength: options.maximumLength
            )
        }
        var results = [[Int]](repeating: [], count: sources.count)
        for (batch, ids) in zip(batches, translated) {
            for (sentence, tokens) in zip(batch, ids) { results[sentence] = tokens }
        }
        return results
    }
}
