import BitplanTensors
import Foundation

/// A `model_type` whose layers and tensors are called as BART's, and what it does its own way.
package struct BartVariant: Sendable, Equatable {
    /// How a model knows the order of its tokens.
    package enum Positions: Sendable {
        /// MarianMT's sinusoids, from 0 on.
        case sinusoids
        /// Sinusoids from the padding token's id and 1 on.
        case sinusoidsBehindPadding
        /// Learned vectors, the first two of which no token has, and a norm behind them.
        case learned
    }

    /// `model_type`.
    package let modelType: String
    /// The class that the weights belong to.
    let architecture: String
    /// Whether norms stand before the sublayers and one more behind each stack, or behind every sublayer.
    let normalizesBefore: Bool
    let positions: Positions
    /// Whether scores have a constant bias, `final_logits_bias`.
    let hasOutputBias: Bool
    /// `activation_function` where nothing is said.
    let activation: String
    /// `scale_embedding` where nothing is said.
    let scalesEmbeddings: Bool
    /// `decoder_start_token_id` where nothing is said; nil for the padding token.
    let startToken: Int?
    /// What is done with the keys of config.json.
    let settings: SettingRules
    /// What is done with the settings of generation.
    let generation: SettingRules

    /// Rows of learned positions before that of a sequence's first token.
    static let learnedOffset = 2
}

/// The shape of a model whose layers are called as BART's and how it generates, read from `config.json` and
/// `generation_config.json`.
package struct BartConfiguration: Sendable, Equatable {
    /// What the model's type does its own way.
    package let variant: BartVariant
    /// `d_model`.
    package let width: Int
    /// `vocab_size`.
    package let sourceVocabularySize: Int
    /// `decoder_vocab_size` where targets have an embedding of their own, else `vocab_size`.
    package let targetVocabularySize: Int
    /// Whether source and target share one embedding: `share_encoder_decoder_embeddings`.
    package let sharesEmbedding: Bool
    /// Whether the target's embedding scores the tokens too: `tie_word_embeddings`.
    package let tiesOutput: Bool
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
    /// Positions that the model has: no sequence may be longer.
    package let maximumPositions: Int
    /// How the model generates.
    package let generation: TranslationSettings

    /// Reads the configuration of a model directory.
    ///
    /// - Throws: `FileError` where a file is missing, a key has the wrong type or a value that bitplan does
    ///   not support.
    package init(_ variant: BartVariant, directory: URL) throws(FileError) {
        let settings = try Settings(directory.appending(path: "config.json"))
        try self.init(
            variant, settings, generation: try TranslationSettings.settings(in: directory, or: settings))
        _ = try settings.architecture([variant.architecture])
    }

    /// Reads the configuration from its settings; errors as `init(_:directory:)`.
    package init(
        _ variant: BartVariant, _ settings: Settings, generation: Settings
    ) throws(FileError) {
        let type = try settings.text("model_type")
        guard type == variant.modelType else {
            throw FileError(
                settings.file,
                "model_type '\(type)' is not supported here: expected '\(variant.modelType)'")
        }
        try settings.check(variant.settings)
        self.variant = variant
        width = try settings.size("d_model")
        sourceVocabularySize = try settings.size("vocab_size")
        sharesEmbedding = try settings.flag("share_encoder_decoder_embeddings", or: true)
        tiesOutput = try settings.flag("tie_word_embeddings", or: true)
        let ownVocabulary = try settings.size("decoder_vocab_size", or: sourceVocabularySize)
        guard !sharesEmbedding || ownVocabulary == sourceVocabularySize else {
            throw FileError(
                settings.file,
                "decoder_vocab_size \(ownVocabulary) differs from vocab_size \(sourceVocabularySize): expected the same with share_encoder_decoder_embeddings"
            )
        }
        targetVocabularySize = ownVocabulary
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
        if variant.positions == .sinusoidsBehindPadding, width < 4 || width % 2 != 0 {
            throw FileError(settings.file, "'d_model': expected a multiple of 2 from 4 on, got \(width)")
        }
        activation = try ActivationFunction(settings, "activation_function", or: variant.activation)
        scalesEmbeddings = try settings.flag("scale_embedding", or: variant.scalesEmbeddings)
        maximumPositions = try settings.size("max_position_embeddings", or: 1024)
        self.generation = try TranslationSettings(
            settings, generation, variant.generation, startToken: variant.startToken,
            vocabularySize: targetVocabularySize, positions: maximumPositions)
    }
}
