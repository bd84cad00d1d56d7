import BitplanMetrics
import BitplanTensors
import BitplanTokenizers
import Foundation

/// Prediction of a text's next token, measured by perplexity.
package struct LanguageModelling: Task {
    /// Plans are judged by perplexity.
    package var prefersLessMetric: Bool { true }

    /// Tokens of a window where nothing else is said; fewer where the model has fewer positions.
    static let usualContext = 256
    /// Tokens that `run` adds where neither the options nor generation_config.json say how many.
    static let defaultLength = 128

    /// The tokenizer.
    let tokenizer: SubwordTokenizer
    /// No text is longer in tokens.
    let maximumPositions: Int
    /// What ends a text.
    let endTokens: [Int]
    /// What a text begins with, where the model has such a token.
    let beginToken: Int?
    /// The most tokens that are added to a text, as the model's generation settings say; nil where they do
    /// not.
    let maximumNewTokens: Int?
    /// The most tokens of a text and its continuation, unless `maximumNewTokens` is given; nil where the
    /// settings do not say.
    let maximumLength: Int?
    /// A setting of generation that bitplan does not have; an error for `run` alone.
    let unsupportedGeneration: FileError?
    /// The same for settings that matter only where tokens are drawn.
    let unsupportedSampling: FileError?

    /// Reads text files as one text, cut into windows.
    ///
    /// Every line that is not blank is encoded alone, the end symbol after it where the model has one, and
    /// all are joined. A window predicts what no window before it has predicted; an item is a window, and
    /// `limit` counts windows.
    /// - Source: the guide on perplexity of Hugging Face transformers.
    /// - Throws: `DataError` where there is no file or the model has not the windows' positions; `FileError`
    ///   where a file is empty or not UTF-8, or there are fewer than two tokens.
    package func dataset(
        _ files: [URL], limit: Int?, windows: TextWindows?
    ) throws -> Dataset<DecoderNetwork.Example> {
        guard let first = files.first else { throw DataError.files([], expected: "a text file") }
        let positions = maximumPositions
        guard positions >= 2 else {
            throw FileError(first, "the model has \(positions) position: expected at least 2")
        }
        let context = windows?.context ?? min(Self.usualContext, positions)
        let step = windows?.stride ?? max(1, context / 2)
        guard (2...positions).contains(context) else {
            throw DataError.context(context, positions: positions)
        }
        guard (1...context).contains(step) else {
            throw DataError.stride(step, context: context)
        }
        var tokens: [Int] = []
        var bytes: [Int] = []
        // A limit needs no more text than its windows: reading on would only cost time.
        let enough = limit.map { context + $0 * step } ?? .max
        for line in try files.flatMap({ try TextFile.lines($0) }) where !line.allSatisfy(\.isWhitespace) {
            if tokens.count >= enough { break }
            let ids = tokenizer.encode(line, addingSpecialTokens: false)
            tokens += ids
            bytes += tokenizer.byteCounts(of: ids, in: line)
            if let end = endTokens.first {
                // The end symbol stands for the line feed.
                tokens.append(end)
                bytes.append(1)
            }
        }
        guard tokens.count >= 2 else {
            throw FileError(first, "has \(tokens.count) tokens: expected at least 2")
        }
        var examples: [DecoderNetwork.Example] = []
        var begin = 0
        var end = 0
        while end < tokens.count, examples.count < limit ?? .max {
            let stop = min(begin + context, tokens.count)
            let scored = min(stop - end, stop - begin - 1)
            // One token alone, at the end of a text without overlaps, has nothing to be predicted from.
            guard scored > 0 else { break }
            examples.append(
                .init(
                    tokens: Array(tokens[begin..<stop]), scored: scored,
                    bytes: bytes[stop - scored..<stop].reduce(0, +)))
            end = stop
            begin += step
        }
        return Dataset(
            examples: examples, references: examples.map { _ in "" },
            windows: TextWindows(context: context, stride: step))
    }

    /// Perplexity per token and bits per byte of text.
    package func score(
        _ network: DecoderNetwork, on data: Dataset<DecoderNetwork.Example>, options: TaskOptions
    ) throws -> TaskScore {
        let losses = try concurrentMap(count: data.examples.count, threads: options.threads) { index in
            let example = data.examples[index]
            let logits = network.logits(network.outputs(network.state([example])))
            let targets = example.tokens.suffix(example.scored)
            let nats = zip(0..., targets).reduce(0.0) {
                $0 + LogLikelihood.crossEntropy(logits[row: $1.0], target: $1.1)
            }
            return TokenLoss(nats: nats, tokens: example.scored)
        }
        let total = losses.reduce(.zero, +)
        let bytes = data.examples.reduce(0) { $0 + $1.bytes }
        return TaskScore(
            values: [
                .init(name: "perplexity", value: total.perplexity ?? 0),
                .init(name: "bitsPerByte", value: total.bitsPerByte(bytes: bytes) ?? 0),
            ],
            signature: (["perplexity"] + [data.windows?.signature].compactMap { $0 }).joined(separator: "|"),
            tokens: total.tokens, outputs: losses.map { String($0.nats) }, items: .perplexity(losses))
    }

    /// Continues every line; what is added is the answer, line feeds in it become spaces.
    ///
    /// A line gets as many tokens as the options say, else `maximumNewTokens`, else as many as make it
    /// `maximumLength` tokens long, else `defaultLength`.
    /// - Source: `_prepare_generated_length` of Hugging Face transformers 5.24.
    /// - Throws: `LineError` where a line has no room for another token, or is empty and the model has no
    ///   token to start with; `FileError` for settings of generation that are not supported.
    package func run(_ network: DecoderNetwork, lines: [String], options: TaskOptions) throws -> [String] {
        if let error = unsupportedGeneration { throw error }
        if options.temperature > 0, let error = unsupportedSampling { throw error }
        let prompts = try lines.enumerated().map { index, line in
            var ids = tokenizer.encode(line)
            if ids.isEmpty {
                ids = [beginToken ?? endTokens.first].compactMap { $0 }
            }
            guard !ids.isEmpty, ids.count < maximumPositions else {
                throw LineError(
                    index: index,
                    "has \(ids.count) tokens: expected 1 to \(maximumPositions - 1)")
            }
            return ids
        }
        let limits = try prompts.enumerated().map { index, prompt in
            let limit =
                options.maximumLength ?? maximumNewTokens ?? maximumLength.map { $0 - prompt.count }
                ?? Self.defaultLength
            guard limit > 0 else {
                throw LineError(
                    index: index,
                    "has \(prompt.count) tokens: expected fewer than the model's max_length, \(prompt.count + limit)"
                )
            }
            return limit
        }
        let size = max(1, options.batchSize)
        let starts = Array(Swift.stride(from: 0, to: prompts.count, by: size))
        let continued = try concurrentMap(count: starts.count, threads: options.threads) { index in
            let start = starts[index]
            let batch = start..<min(start + size, prompts.count)
            let texts = network.generate(
                Array(prompts[batch]), maximumLength: limits[batch].max() ?? 0,
                sampling: options.temperature > 0
                    ? .temperature(options.temperature, seed: options.seed &+ UInt64(start)) : .greedy)
            // A token depends on those before it alone, so a text with a lower limit is the start of what was
            // generated.
            return zip(texts, limits[batch]).map { Array($0.prefix($1)) }
        }
        return continued.flatMap { $0 }.map { ids in
            String(tokenizer.decode(ids).map { $0.isNewline ? " " : $0 })
        }
    }
}
