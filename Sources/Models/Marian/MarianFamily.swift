import BitplanMetrics
import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// MarianMT translation models, as OPUS-MT publishes them.
package struct MarianFamily: ModelFamily {
    /// `marian`.
    package static let modelType = "marian"
    /// Generation settings and the tokenizer.
    package static let companionFiles = [
        "generation_config.json", "source.spm", "target.spm", "vocab.json", "target_vocab.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    ]

    /// The model's shape and how it generates.
    package let configuration: MarianConfiguration
    /// The tokenizers of both sides.
    package let tokenizer: MarianTokenizer

    /// Reads configuration and tokenizer; `FileError` or `TokenizerError` for what is missing or unsupported.
    package init(directory: URL) throws {
        configuration = try MarianConfiguration(directory: directory)
        tokenizer = try MarianTokenizer(directory: directory)
        try Settings.check(directory.appending(path: "tokenizer_config.json"), MarianSettings.tokenizer)
        guard tokenizer.vocabularySize <= configuration.vocabularySize else {
            throw FileError(
                directory.appending(path: "vocab.json"),
                "has \(tokenizer.vocabularySize) tokens, config.json says vocab_size \(configuration.vocabularySize)"
            )
        }
    }

    /// The sublayers of both stacks.
    package var layout: ModelLayout { MarianNetwork.layout(configuration) }

    /// Biases and LayerNorms.
    package var vectors: [(name: String, count: Int)] { MarianNetwork.vectors(configuration) }

    /// The names of the tied embedding in published checkpoints.
    package func aliases(of tensor: String) -> [String] {
        tensor == MarianNetwork.embeddingName
            ? ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"]
            : []
    }

    /// A network over these weights; `MissingWeight` where one is not there.
    package func network(_ weights: WeightTable) throws -> MarianNetwork {
        try MarianNetwork(configuration, weights)
    }

    /// Reads a source file and a reference file, one sentence a line.
    ///
    /// - Throws: `FileError` where there are not two files, one is empty or not UTF-8, their lengths differ, or a sentence has more
    ///   tokens than the model has positions.
    package func dataset(_ files: [URL], limit: Int?) throws -> Dataset<MarianNetwork.Example> {
        guard files.count == 2 else {
            throw FileError(
                files.first?.path ?? "--data",
                "expected a source and a reference file, got \(files.count) files")
        }
        let sources = try TextFile.lines(files[0])
        let references = try TextFile.lines(files[1])
        guard sources.count == references.count else {
            throw FileError(
                files[1], "has \(references.count) lines, the source \(files[0].path) has \(sources.count)")
        }
        let count = min(limit ?? sources.count, sources.count)
        var examples: [MarianNetwork.Example] = []
        for index in 0..<count {
            let example = MarianNetwork.Example(
                source: tokenizer.encodeSource(sources[index]),
                target: try tokenizer.encodeTarget(references[index]))
            for (file, ids) in [(files[0], example.source), (files[1], example.target)]
            where ids.count > configuration.maximumPositions {
                throw FileError(
                    file,
                    "line \(index + 1) has \(ids.count) tokens, the model has \(configuration.maximumPositions) positions"
                )
            }
            examples.append(example)
        }
        return Dataset(examples: examples, references: Array(references[..<count]))
    }

    /// BLEU and chrF2 of the translations.
    package func score(
        _ network: MarianNetwork, on data: Dataset<MarianNetwork.Example>, options: TaskOptions
    ) throws -> TaskScore {
        let ids = try translate(network, data.examples.map(\.source), options)
        let outputs = ids.map { tokenizer.decode($0) }
        let bleu = try BLEU().corpusScore(hypotheses: outputs, references: data.references)
        let chrF = try ChrF().corpusScore(hypotheses: outputs, references: data.references)
        return TaskScore(
            values: [.init(name: "bleu", value: bleu), .init(name: "chrf2", value: chrF)],
            signature: "BLEU|beam:\(options.beams)|" + BLEU().signature,
            tokens: ids.reduce(0) { $0 + $1.count },
            outputs: outputs)
    }

    /// Translates lines; `FileError` for one that has more tokens than the model has positions.
    package func run(_ network: MarianNetwork, lines: [String], options: TaskOptions) throws -> [String] {
        let sources = try lines.enumerated().map { index, line in
            let ids = tokenizer.encodeSource(line)
            guard ids.count <= configuration.maximumPositions else {
                throw LineError(
                    index: index,
                    "has \(ids.count) tokens, the model has \(configuration.maximumPositions) positions")
            }
            return ids
        }
        return try translate(network, sources, options).map { tokenizer.decode($0) }
    }

    /// Translates in batches of similar length; the results stand in order of the sources.
    func translate(_ network: MarianNetwork, _ sources: [[Int]], _ options: TaskOptions) throws -> [[Int]] {
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
