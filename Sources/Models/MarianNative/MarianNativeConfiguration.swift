import BitplanTensors
import Foundation

/// The shape of a network in Marian's own format, read from its `special:model.yml`.
package struct MarianNativeConfiguration: Sendable, Equatable {
    /// `dim-emb`, a multiple of 2 from 4 on.
    package let width: Int
    /// `dim-vocabs`: tokens of the source.
    package let sourceVocabularySize: Int
    /// Tokens of the target.
    package let targetVocabularySize: Int
    /// `enc-depth`.
    package let encoderLayers: Int
    /// `dec-depth`.
    package let decoderLayers: Int
    /// `transformer-heads`.
    package let heads: Int
    /// `transformer-dim-ffn`.
    package let encoderInnerWidth: Int
    /// `transformer-decoder-dim-ffn`, where it is not 0.
    package let decoderInnerWidth: Int
    /// `transformer-ffn-activation`.
    package let activation: ActivationFunction
    /// Whether source and target share one embedding: `tied-embeddings-all` or `tied-embeddings-src`.
    package let sharesEmbedding: Bool
    /// Whether the output is the target's embedding: `tied-embeddings-all` or `tied-embeddings`.
    package let tiesOutput: Bool
    /// Whether scores have a bias: not `output-omit-bias`.
    package let hasOutputBias: Bool
    /// Whether the decoder has SSRU cells in place of self-attention: `transformer-decoder-autoreg: rnn`.
    package let isRecurrent: Bool
    /// Whether norms stand before the sublayers and not behind them: `transformer-preprocess: n`.
    package let normalizesBefore: Bool
    /// Whether the keys and values of self-attention see its input before the norm: so did Marian 1.9.
    package let keysSeeInput: Bool
    /// Whether each stack ends with a norm of its own: `transformer-postprocess-top: n`.
    package let hasTopNorm: Bool

    /// Each layer has a dozen tensors: no file describes more in earnest.
    private static let largestDepth = 1024

    /// Reads the shape.
    ///
    /// - Throws: `FileError` for a key of the wrong type or a value that bitplan does not have.
    package init(_ settings: Settings) throws(FileError) {
        // `model_type` and `quantization_config` are what a packed model's config.json has beside Marian's.
        try MarianNativeSettings.check(
            settings, MarianNativeSettings.model, own: ["model_type", "quantization_config"])
        func refuse(_ key: String, _ value: Any, _ expected: String) -> FileError {
            FileError(settings.file, "'\(key)': \(value) is not supported: expected \(expected)")
        }
        _ = try settings.text("type")
        width = try settings.size("dim-emb")
        guard width >= 4, width % 2 == 0 else {
            throw refuse("dim-emb", width, "a multiple of 2 from 4 on")
        }
        heads = try settings.size("transformer-heads", or: 8)
        guard width % heads == 0 else { throw refuse("transformer-heads", heads, "a divisor of \(width)") }
        guard let sizes = settings.any("dim-vocabs") as? [NSNumber], sizes.count == 2 else {
            throw FileError(settings.file, "'dim-vocabs': expected the sizes of two vocabularies")
        }
        for size in sizes where !(2...1 << 24).contains(size.intValue) {
            throw refuse("dim-vocabs", size, "2 to \(1 << 24) tokens")
        }
        (sourceVocabularySize, targetVocabularySize) = (sizes[0].intValue, sizes[1].intValue)
        encoderLayers = try settings.size("enc-depth", or: 1)
        decoderLayers = try settings.size("dec-depth", or: 1)
        for (key, depth) in [("enc-depth", encoderLayers), ("dec-depth", decoderLayers)]
        where depth > Self.largestDepth {
            throw refuse(key, depth, "up to \(Self.largestDepth)")
        }
        encoderInnerWidth = try settings.size("transformer-dim-ffn", or: 2048)
        let other = try settings.integer("transformer-decoder-dim-ffn", or: 0)
        decoderInnerWidth = other == 0 ? encoderInnerWidth : try settings.size("transformer-decoder-dim-ffn")
        switch try settings.text("transformer-ffn-activation", or: "swish") {
        case "relu", "ReLU": activation = .relu
        case "swish": activation = .swish
        case let name: throw refuse("transformer-ffn-activation", "'\(name)'", "'relu' or 'swish'")
        }
        let all = try settings.flag("tied-embeddings-all", or: false)
        sharesEmbedding = try settings.flag("tied-embeddings-src", or: false) || all
        tiesOutput = try settings.flag("tied-embeddings", or: false) || all
        if sharesEmbedding, sourceVocabularySize != targetVocabularySize {
            throw refuse(
                "dim-vocabs", "\(sourceVocabularySize) and \(targetVocabularySize)",
                "one size for one embedding of both sides")
        }
        hasOutputBias = !(try settings.flag("output-omit-bias", or: false))
        switch try settings.text("transformer-decoder-autoreg", or: "self-attention") {
        case "self-attention": isRecurrent = false
        case "rnn":
            isRecurrent = true
            let cell = try settings.text("dec-cell", or: "gru")
            guard cell == "ssru" else { throw refuse("dec-cell", "'\(cell)'", "'ssru'") }
        case let name:
            throw refuse("transformer-decoder-autoreg", "'\(name)'", "'rnn' or 'self-attention'")
        }
        /// What is done at a place, dropout apart, which does nothing where nothing is trained.
        func operations(
            _ key: String, or fallback: String, _ known: [String]
        ) throws(FileError) -> String {
            let text = try settings.text(key, or: fallback)
            let operations = text.filter { $0 != "d" }
            guard known.contains(operations) else {
                throw refuse(key, "'\(text)'", known.map { "'\($0)'" }.joined(separator: " or "))
            }
            return operations
        }
        normalizesBefore = try operations("transformer-preprocess", or: "", ["", "n"]) == "n"
        _ = try operations("transformer-postprocess", or: "dan", [normalizesBefore ? "a" : "an"])
        _ = try operations("transformer-postprocess-emb", or: "d", [""])
        hasTopNorm = try operations("transformer-postprocess-top", or: "", ["", "n"]) == "n"
        keysSeeInput = normalizesBefore ? try Self.keysSeeInput(settings) : false
    }

    /// Marian 1.9 normalized the queries of self-attention alone, 1.12 keys and values too.
    ///
    /// - Throws: `FileError` for a network of another version: which of the two it was trained with is not
    ///   known.
    private static func keysSeeInput(_ settings: Settings) throws(FileError) -> Bool {
        let version = try settings.text("version")
        let numbers = version.drop { !$0.isNumber }.prefix { $0.isNumber || $0 == "." }
            .split(separator: ".").map { Int($0) ?? 0 }
        guard numbers.count >= 2, numbers[0] == 1, numbers[1] <= 9 || numbers[1] >= 12 else {
            throw FileError(
                settings.file,
                "'version': '\(version)' with 'transformer-preprocess' 'n' is not supported: expected 1.9 or before, which did not normalize the keys of self-attention, or from 1.12 on, which does"
            )
        }
        return numbers[1] <= 9
    }
}

extension TranslationSettings {
    /// How a model in Marian's format generates: as `config.yml` says, else as Bergamot does where nothing is
    /// said (one beam, scores by length, 2.5 target tokens a source token, no `<unk>`, parts of 127 tokens).
    ///
    /// - Source: bergamot-translator and the config.yml of its published models.
    init(_ decoding: Settings?, endToken: Int, unknownToken: Int) throws(FileError) {
        let settings = decoding ?? Settings(file: URL(filePath: "config.yml"), object: [:])
        try MarianNativeSettings.check(settings, MarianNativeSettings.decoding)
        func positive(_ key: String, or fallback: Double) throws(FileError) -> Double {
            let number = try settings.number(key, or: fallback)
            guard number > 0, number <= 1000 else {
                throw FileError(settings.file, "'\(key)': expected more than 0, up to 1000, got \(number)")
            }
            return number
        }
        startToken = nil
        self.endToken = endToken
        padToken = endToken
        forcedEndToken = nil
        bannedTokens = try settings.flag("allow-unk", or: false) ? [] : [unknownToken]
        maximumLength = Self.unlimited
        beams = try settings.size("beam-size", or: 1)
        lengthPenalty = try settings.number("normalize", or: 1)
        wordPenalty = Float(try settings.number("word-penalty", or: 0))
        lengthFactor = try positive("max-length-factor", or: 2.5)
        let longest = try settings.size("max-length-break", or: 128)
        guard longest >= 2 else {
            throw FileError(settings.file, "'max-length-break': expected at least 2, got \(longest)")
        }
        longestSource = longest
        stopsEarly = false
        renormalizes = false
        finishedKeepPlaces = true
    }

    /// More tokens than anything has.
    static var unlimited: Int { 1 << 40 }
}
