import BitplanKernels
import BitplanMetrics
import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// BERT: classifiers of texts and pairs (`BertForSequenceClassification`) and sentence encoders (`BertModel`).
package struct BertFamily: ModelFamily {
    /// The `model_type` of the family.
    package static let modelType = "bert"
    /// The tokenizer and what else a packed model needs.
    package static let companionFiles = [
        "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "modules.json",
        "sentence_bert_config.json", "1_Pooling/config.json",
    ]

    /// `encoder.layer.0` and on, under `bert.` in some checkpoints.
    package static let layerStack: LayerStack? = LayerStack(
        prefix: "encoder.layer.", countKey: "num_hidden_layers")

    /// The model's shape.
    package let configuration: BertConfiguration
    /// The tokenizer.
    package let tokenizer: WordPieceTokenizer

    /// Rows of the word embedding that may have no token, where the number of rows is a multiple of 64: it was rounded up for speed.
    static let paddingRows = 127

    /// Reads configuration and tokenizer; one-line errors for what is missing or unsupported.
    ///
    /// A vocab.txt has to have as many lines as the word embedding has rows, or fewer by at most `paddingRows` where these are a multiple
    /// of 64: with a line lost, the ids behind it are those of other tokens. In a tokenizer.json every token has its id, so that it may
    /// have fewer tokens. Special tokens have to be at least one, so that no text is empty, and no more than the positions.
    /// - Throws: `FileError`, `TokenizerError`.
    package init(directory: URL) throws {
        configuration = try BertConfiguration(directory: directory)
        tokenizer = try WordPieceTokenizer(directory: directory)
        try Settings.check(directory.appending(path: "tokenizer_config.json"), BertSettings.tokenizer)
        guard tokenizer.vocabularySize <= configuration.vocabularySize else {
            throw FileError(
                directory,
                "the tokenizer has \(tokenizer.vocabularySize) tokens, config.json says vocab_size \(configuration.vocabularySize)"
            )
        }
        if tokenizer.idsAreLines { try checkLines(directory.appending(path: "vocab.txt")) }
        try checkFrame(ofPair: false, directory)
        if case .classification = configuration.task { try checkFrame(ofPair: true, directory) }
    }

    /// Refuses a vocab.txt that is likely to lack lines.
    private func checkLines(_ file: URL) throws(FileError) {
        let (lines, rows) = (tokenizer.vocabularySize, configuration.vocabularySize)
        guard lines == rows || (rows % 64 == 0 && rows - lines <= Self.paddingRows) else {
            throw FileError(
                file,
                "has \(lines) lines, config.json says vocab_size \(rows): expected as many, or up to \(Self.paddingRows) fewer where vocab_size is a multiple of 64"
            )
        }
    }

    /// Refuses special tokens and types that the network cannot take, or that leave nothing of an empty text.
    private func checkFrame(ofPair isPair: Bool, _ directory: URL) throws(FileError) {
        let (specialTokens, type) = tokenizer.frame(ofPair: isPair)
        let input = isPair ? "a pair" : "a text"
        let file = directory.appending(path: "tokenizer.json")
        guard specialTokens > 0 else {
            throw FileError(
                file, "'post_processor' puts no special token around \(input): expected at least 1")
        }
        guard specialTokens <= configuration.maximumPositions else {
            throw FileError(
                directory.appending(path: "config.json"),
                "'max_position_embeddings': expected at least \(specialTokens), the special tokens around \(input), got \(configuration.maximumPositions)"
            )
        }
        guard type < configuration.types || configuration.types == 1 else {
            throw FileError(
                file,
                "'post_processor' gives \(input) the type_id \(type): expected 0 to \(configuration.types - 1), config.json says type_vocab_size \(configuration.types)"
            )
        }
    }

    /// Sublayers and their matrices.
    package var layout: ModelLayout { BertNetwork.layout(configuration) }

    /// What stays FP32.
    package var vectors: [(name: String, count: Int)] { BertNetwork.vectors(configuration) }

    /// Other names of a tensor in published checkpoints.
    package func aliases(of tensor: String) -> [String] { BertNames(configuration).aliases(of: tensor) }

    /// A network over these weights; `MissingWeight` where one is not there.
    package func network(_ weights: WeightTable) throws -> BertNetwork {
        try BertNetwork(configuration, weights)
    }

    /// Reads a file of tab-separated values without header or quoting: for a classifier `text<TAB>label` or
    /// `text<TAB>text<TAB>label`, for a sentence encoder `text<TAB>text<TAB>score`.
    ///
    /// Inputs longer than the model's `maximumLength` are cut there, as its own tools do it.
    /// - Throws: `FileError` where there is not one file, or a line has other columns, an unknown label or a score that is no number.
    package func dataset(_ files: [URL], limit: Int?) throws -> Dataset<BertNetwork.Example> {
        guard files.count == 1, let file = files.first else {
            throw FileError(
                files.first?.path ?? "--data",
                "expected one file of tab-separated values, got \(files.count) files")
        }
        let lines = try TextFile.lines(file)
        let anchors = anchors(lines)
        var examples: [BertNetwork.Example] = []
        var references: [String] = []
        for (number, line) in lines.prefix(limit ?? .max).enumerated() {
            var columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            let place = "line \(number + 1)"
            switch configuration.task {
            case .classification(let labels):
                guard columns.count == 2 || columns.count == 3, let text = columns.popLast() else {
                    throw FileError(
                        file,
                        "\(place): expected text<TAB>label or text<TAB>text<TAB>label, got \(columns.count) columns"
                    )
                }
                guard let label = labels.firstIndex(of: text) ?? Int(text), labels.indices.contains(label)
                else {
                    throw FileError(
                        file,
                        "\(place): '\(text)' is no label: expected 0 to \(labels.count - 1) or one of \(labels.joined(separator: ", "))"
                    )
                }
                examples.append(.init(sequences(columns), label: label))
                references.append(labels[label])
            case .embedding:
                guard columns.count == 3, let score = columns.popLast() else {
                    throw FileError(
                        file, "\(place): expected text<TAB>text<TAB>score, got \(columns.count) columns")
                }
                guard let value = Double(score), value.isFinite else {
                    throw FileError(file, "\(place): '\(score)' is no score: expected a number")
                }
                examples.append(.init(sequences(columns), anchors: anchors))
                references.append(score)
            }
        }
        return Dataset(examples: examples, references: references)
    }

    /// Texts that stand evenly spaced in the whole of the data, whatever part of it is measured; nil for a classifier.
    private func anchors(_ lines: [String]) -> SentenceAnchors? {
        guard case .embedding = configuration.task else { return nil }
        let count = min(SentenceAnchors.count, lines.count)
        let texts = (0..<count).compactMap {
            lines[$0 * lines.count / count].split(separator: "\t").first.map(String.init)
        }
        return SentenceAnchors(sequences(texts))
    }

    /// The sequences of one or two texts: a classifier reads a pair as one.
    func sequences(_ texts: [String]) -> [TokenSequence] {
        let length = configuration.maximumLength
        // With a locale, a sigma at the end of a word becomes another letter, as in Python.
        let texts =
            configuration.lowercasesTexts
            ? texts.map { $0.lowercased(with: Locale(identifier: "en_US_POSIX")) } : texts
        if case .classification = configuration.task, texts.count == 2 {
            return [checked(tokenizer.encode(texts[0], pairedWith: texts[1], maximumLength: length))]
        }
        return texts.map { checked(tokenizer.encode($0, pairedWith: nil, maximumLength: length)) }
    }

    /// Types that the model has: one that tells no texts apart has only type 0.
    private func checked(_ sequence: TokenSequence) -> TokenSequence {
        guard configuration.types == 1 else { return sequence }
        return TokenSequence(
            ids: sequence.ids, typeIDs: [Int](repeating: 0, count: sequence.typeIDs.count))
    }

    /// The network's vectors for every item, one row per sequence, batch by batch; the rows do not depend on the batches.
    func vectors(
        _ network: BertNetwork, _ examples: [BertNetwork.Example], _ options: TaskOptions
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
