import BitplanMetrics
import BitplanTensors
import BitplanTokenizers
import Foundation

/// Translation of sentences, measured by BLEU and chrF2.
package struct Translation: Task {
    /// The tokenizers of both sides.
    let tokenizer: any TranslationTokenizer
    /// No sentence is longer in tokens.
    let maximumPositions: Int
    /// Tokens of the vocabularies of source and target, where shortlists are read for them; nil for a model
    /// whose tokens have other numbers.
    var shortlistedVocabularies: (source: Int, target: Int)?
    /// The tokens that translations may have; all where nil.
    private var shortlist: Shortlist?

    /// Translation with a tokenizer.
    init(
        tokenizer: any TranslationTokenizer, maximumPositions: Int,
        shortlistedVocabularies: (source: Int, target: Int)? = nil
    ) {
        self.tokenizer = tokenizer
        self.maximumPositions = maximumPositions
        self.shortlistedVocabularies = shortlistedVocabularies
    }

    /// The task with the shortlist that `options` name, read.
    ///
    /// - Throws: `DataError` where the model has tokens of other numbers; `FileError` where the file is no
    ///   shortlist, or is for other vocabularies.
    package func prepared(_ options: TaskOptions) throws -> any Task<EncoderDecoderNetwork> {
        guard let file = options.shortlist else { return self }
        guard let sizes = shortlistedVocabularies else { throw DataError.shortlist(file) }
        var task = self
        let shortlist = try Shortlist(file)
        try shortlist.check(source: sizes.source, target: sizes.target)
        task.shortlist = shortlist
        return task
    }

    /// KL is measured along the tokens of a translation.
    package var hasTargetTokens: Bool { true }

    /// Reads a source file and, where there is one, a reference file, one sentence a line. Without references
    /// the targets are empty until the model's own translations take their place.
    ///
    /// - Throws: `TokenizerError` where no target language is known; `DataError` where there are not one or
    ///   two files; `FileError` where one is empty or not UTF-8, their lengths differ, or a sentence has more
    ///   tokens than the model has positions.
    package func dataset(
        _ files: [URL], limit: Int?, windows: TextWindows?
    ) throws -> Dataset<EncoderDecoderNetwork.Example> {
        try refuse(windows)
        try tokenizer.checkTarget()
        guard (1...2).contains(files.count) else {
            throw DataError.files(files, expected: "a source file, and a reference file where there is one")
        }
        let sources = try TextFile.lines(files[0])
        let references = try files.dropFirst().first.map { try TextFile.lines($0) }
        if let references, sources.count != references.count {
            throw FileError(
                files[1], "has \(references.count) lines, the source \(files[0].path) has \(sources.count)")
        }
        let count = min(limit ?? sources.count, sources.count)
        var examples: [EncoderDecoderNetwork.Example] = []
        for index in 0..<count {
            let example = EncoderDecoderNetwork.Example(
                source: tokenizer.encodeSource(sources[index]),
                target: try references.map { try tokenizer.encodeTarget($0[index]) } ?? [])
            for (file, ids) in zip(files, [example.source, example.target])
            where ids.count > maximumPositions {
                throw FileError(
                    file,
                    "line \(index + 1) has \(ids.count) tokens, the model has \(maximumPositions) positions"
                )
            }
            examples.append(example)
        }
        return Dataset(examples: examples, references: references.map { Array($0[..<count]) } ?? [])
    }

    /// The network's greedy translations, as long as its generation settings let them be.
    ///
    /// - Throws: `DataError` where one has not even an end symbol.
    package func ownTargets(
        _ network: EncoderDecoderNetwork, of data: Dataset<EncoderDecoderNetwork.Example>,
        options: TaskOptions
    ) throws -> [[Int]] {
        var options = options
        options.beams = 1
        options.maximumLength = nil
        let targets = try translate(network, data.examples.map(\.source), options)
        if let empty = targets.firstIndex(where: \.isEmpty) {
            throw DataError.noOutput(
                empty, positions: min(network.generation.maximumLength, network.maximumPositions))
        }
        return targets
    }

    /// The sources with these translations.
    package func replacingTargets(
        _ data: Dataset<EncoderDecoderNetwork.Example>, _ targets: [[Int]]
    ) -> Dataset<EncoderDecoderNetwork.Example> {
        Dataset(
            examples: zip(data.examples, targets).map { .init(source: $0.source, target: $1) },
            references: data.references)
    }

    /// BLEU and chrF2 of the translations.
    package func score(
        _ network: EncoderDecoderNetwork, on data: Dataset<EncoderDecoderNetwork.Example>,
        options: TaskOptions
    ) throws -> TaskScore {
        let ids = try translate(network, data.examples.map(\.source), options)
        let outputs = ids.map { tokenizer.decode($0) }
        guard data.hasReferences else {
            return TaskScore(
                values: [], signature: "", tokens: ids.reduce(0) { $0 + $1.count }, outputs: outputs)
        }
        let bleu = MetricItems.bleu(
            try BLEU().statistics(hypotheses: outputs, references: data.references))
        let chrF = try ChrF().corpusScore(hypotheses: outputs, references: data.references)
        return TaskScore(
            values: [.init(name: "bleu", value: bleu.value), .init(name: "chrf2", value: chrF)],
            signature: "BLEU|beam:\(options.beams)|" + BLEU().signature,
            tokens: ids.reduce(0) { $0 + $1.count },
            outputs: outputs, items: bleu)
    }

    /// Translates lines; `LineError` for one that has more tokens than the model has positions.
    package func run(_ network: EncoderDecoderNetwork, lines: [String], options: TaskOptions) throws
        -> [String]
    {
        try tokenizer.checkTarget()
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
    ///
    /// A source that is longer than the settings admit is translated in parts, and its translation is theirs,
    /// one behind the other.
    func translate(_ network: EncoderDecoderNetwork, _ sources: [[Int]], _ options: TaskOptions) throws
        -> [[Int]]
    {
        guard let longest = network.generation.longestSource, sources.contains(where: { $0.count > longest })
        else { return try translateWhole(network, sources, options) }
        var parts: [(sentence: Int, tokens: [Int])] = []
        for (sentence, source) in sources.enumerated() {
            guard source.count > longest else {
                parts.append((sentence, source))
                continue
            }
            // Each part has the end symbol of its own.
            for start in stride(from: 0, to: source.count - 1, by: longest - 1) {
                let words = source[start..<min(start + longest - 1, source.count - 1)]
                parts.append((sentence, words + source.suffix(1)))
            }
        }
        var results = [[Int]](repeating: [], count: sources.count)
        let translated = try translateWhole(network, parts.map(\.tokens), options)
        for (part, tokens) in zip(parts, translated) {
            // The end symbol of a part is not that of the sentence.
            if results[part.sentence].last == network.generation.endToken {
                results[part.sentence].removeLast()
            }
            results[part.sentence] += tokens
        }
        return results
    }

    /// Translates sources that are not cut.
    private func translateWhole(
        _ network: EncoderDecoderNetwork, _ sources: [[Int]], _ options: TaskOptions
    ) throws -> [[Int]] {
        let order = sources.indices.sorted { (sources[$0].count, $0) < (sources[$1].count, $1) }
        let batches = stride(from: 0, to: order.count, by: options.batchSize).map {
            Array(order[$0..<min($0 + options.batchSize, order.count)])
        }
        let translated = try concurrentMap(count: batches.count, threads: options.threads) { index in
            network.translate(
                batches[index].map { sources[$0] }, beams: options.beams,
                maximumLength: options.maximumLength, shortlist: shortlist)
        }
        var results = [[Int]](repeating: [], count: sources.count)
        for (batch, ids) in zip(batches, translated) {
            for (sentence, tokens) in zip(batch, ids) { results[sentence] = tokens }
        }
        return results
    }
}
