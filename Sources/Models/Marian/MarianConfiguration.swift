import BitplanTensors
import Foundation

/// The shape of a MarianMT model and how it generates, read from `config.json` and `generation_config.json`.
package struct MarianConfiguration: Sendable, Equatable {
    /// `d_model`.
    package let width: Int
    /// `vocab_size`, of both sides.
    package let vocabularySize: Int
    /// `encoder_layers`.
    package let encoderLayers: Int
    /// `decoder_layers`.
    package let decoderLayers: Int
    /// `encoder_attention_heads`.
    package let encoderHeads: Int
    /// `decoder_attention_heads`.
    package let decoderHeads: Int
    /// `encoder_ffn_dim`.
    package let encoderInnerWidth: Int
    /// `decoder_ffn_dim`.
    package let decoderInnerWidth: Int
    /// `activation_function`.
    package let activation: ActivationFunction
    /// Whether embeddings are multiplied by the root of the width.
    package let scalesEmbeddings: Bool
    /// Positions that the model has sinusoids for: no sequence may be longer.
    package let maximumPositions: Int
    /// How the model generates.
    package let generation: TranslationSettings

    /// Reads the configuration of a model directory.
    ///
    /// - Throws: `FileError` where a file is missing, a key has the wrong type or a value that bitplan does
    ///   not support.
    package init(directory: URL) throws(FileError) {
        let settings = try Settings(directory.appending(path: "config.json"))
        let separate = directory.appending(path: "generation_config.json")
        // Older models keep the generation settings in config.json.
        let generation =
            FileManager.default.fileExists(atPath: separate.path) ? try Settings(separate) : settings
        try self.init(settings, generation: generation)
        _ = try settings.architecture(["MarianMTModel"])
    }

    /// Reads the configuration from its settings; errors as `init(directory:)`.
    package init(_ settings: Settings, generation: Settings) throws(FileError) {
        let type = try settings.text("model_type")
        guard type == "marian" else {
            throw FileError(settings.file, "model_type '\(type)' is not supported here: expected 'marian'")
        }
        try settings.check(MarianSettings.model)
        width = try settings.size("d_model")
        vocabularySize = try settings.size("vocab_size")
        let decoderVocabulary = try settings.size("decoder_vocab_size", or: vocabularySize)
        guard decoderVocabulary == vocabularySize else {
            throw FileError(
                settings.file,
                "decoder_vocab_size \(decoderVocabulary) differs from vocab_size \(vocabularySize): not supported"
            )
        }
        encoderLayers = try settings.count("encoder_layers")
        decoderLayers = try settings.count("decoder_layers")
        encoderHeads = try settings.size("encoder_attention_heads")
        decoderHeads = try settings.size("decoder_attention_heads")
        encoderInnerWidth = try settings.size("encoder_ffn_dim")
        decoderInnerWidth = try settings.size("decoder_ffn_dim")
        for (key, heads) in [
            ("encoder_attention_heads", encoderHeads), ("decoder_attention_heads", decoderHeads),
        ]
        where width % heads != 0 {
            throw FileError(settings.file, "d_model \(width) is not a multiple of \(key) \(heads)")
        }
        activation = try ActivationFunction(settings, "activation_function", or: "gelu")
        scalesEmbeddings = try settings.flag("scale_embedding", or: false)
        maximumPositions = try settings.size("max_position_embeddings", or: 1024)
        self.generation = try TranslationSettings(
            settings, generation, vocabularySize: vocabularySize, positions: maximumPositions)
    }
}

extension TranslationSettings {
    /// Reads generation settings; the padding, end and start tokens that `generation` does not give come from
    /// the model's own settings.
    ///
    /// The longest sequence is `max_new_tokens` behind the start symbol, else `max_length` with it; where
    /// neither is given, 20 new tokens.
    /// - Source: `_prepare_generated_length` of Hugging Face transformers 5.24.
    init(_ model: Settings, _ generation: Settings, vocabularySize: Int, positions: Int) throws(FileError) {
        func token(_ key: String, or fallback: Int? = nil) throws(FileError) -> Int {
            let settings = generation.has(key) ? generation : model
            let id = try settings.integer(key, or: fallback)
            guard (0..<vocabularySize).contains(id) else {
                throw FileError(
                    settings.file, "'\(key)': token \(id) is outside the vocabulary of \(vocabularySize)")
            }
            return id
        }
        padToken = try token("pad_token_id")
        endToken = try token("eos_token_id")
        startToken = try token("decoder_start_token_id", or: padToken)
        forcedEndToken =
            generation.has("forced_eos_token_id") ? try token("forced_eos_token_id") : nil
        bannedTokens = try Self.bannedTokens(generation, vocabularySize)
        let length = try generation.has("max_length") ? generation.size("max_length") : nil
        let newTokens = try generation.has("max_new_tokens") ? generation.size("max_new_tokens") : nil
        maximumLength = min(newTokens.map { $0 + 1 } ?? length ?? 21, positions)
        beams = try generation.size("num_beams", or: 1)
        lengthPenalty = try generation.number("length_penalty", or: 1)
        stopsEarly = try generation.flag("early_stopping", or: false)
        renormalizes = try generation.flag("renormalize_logits", or: false)
        try generation.check(MarianSettings.generation)
    }

    private static func bannedTokens(_ settings: Settings, _ vocabularySize: Int) throws(FileError) -> [Int] {
        guard let value = settings.any("bad_words_ids") else { return [] }
        guard let words = value as? [[Int]] else {
            throw FileError(settings.file, "'bad_words_ids': expected lists of token ids")
        }
        var banned: [Int] = []
        for word in words {
            guard word.count == 1 else {
                throw FileError(
                    settings.file, "'bad_words_ids': only single tokens are supported, got \(word)")
            }
            guard (0..<vocabularySize).contains(word[0]) else {
                throw FileError(
                    settings.file,
                    "'bad_words_ids': token \(word[0]) is outside the vocabulary of \(vocabularySize)")
            }
            banned.append(word[0])
        }
        return banned
    }
}
