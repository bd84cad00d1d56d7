import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// A model that translates between many languages: the code of the source's language is one of its tokens,
/// that of the target's the first token of a translation.
///
/// The languages are those that options name, else `src_lang` and `tgt_lang` of tokenizer_config.json, else
/// for the target `forced_bos_token_id` of the settings of generation.
package struct MultilingualFamily<Variant: MultilingualVariant>: BartFamily {
    package let configuration: BartConfiguration
    /// The tokenizer, for the languages that were chosen.
    package let tokenizer: MultilingualTokenizer
    package let outline: EncoderDecoderNetwork

    /// A family of these parts, whose translations begin with the tokenizer's target language.
    private init(
        _ configuration: BartConfiguration, _ tokenizer: MultilingualTokenizer,
        _ outline: EncoderDecoderNetwork
    ) {
        self.configuration = configuration
        self.tokenizer = tokenizer
        var outline = outline
        outline.generation.forcedFirstToken = tokenizer.targetID
        self.outline = outline
    }

    /// As the variant has it.
    package static var variant: BartVariant { Variant.variant }
    /// The variant's.
    package static var published: [PublishedModels] { [Variant.published] }

    /// Generation settings and the tokenizer.
    package var companionFiles: [String] {
        [
            "generation_config.json", "sentencepiece.bpe.model", "vocab.json", "tokenizer_config.json",
            "special_tokens_map.json", "added_tokens.json",
        ]
    }

    /// Reads configuration and tokenizer; `FileError` or `TokenizerError` for what is missing or unsupported.
    package init(directory: URL) throws {
        let configuration = try BartConfiguration(Self.variant, directory: directory)
        try Settings.check(
            directory.appending(path: "tokenizer_config.json"), MultilingualSettings.tokenizer)
        var tokenizer = try MultilingualTokenizer(directory: directory, Variant.tokenizers)
        guard tokenizer.vocabularySize <= configuration.targetVocabularySize else {
            throw FileError(
                directory.appending(path: "sentencepiece.bpe.model"),
                "makes \(tokenizer.vocabularySize) tokens with the languages' codes, config.json says vocab_size \(configuration.targetVocabularySize)"
            )
        }
        if tokenizer.targetID == nil, let first = configuration.generation.forcedFirstToken {
            guard let language = tokenizer.language(of: first) else {
                throw FileError(
                    directory, "'forced_bos_token_id': expected the token of a language, got \(first)")
            }
            tokenizer = try tokenizer.choosing(TranslationLanguages(target: language))
        }
        self.init(configuration, tokenizer, try Self.network(configuration))
    }

    /// The family for other languages.
    ///
    /// - Throws: `TokenizerError` for a code that the model does not know.
    package func choosing(_ languages: TranslationLanguages) throws -> Self {
        Self(configuration, try tokenizer.choosing(languages), outline)
    }

    /// The languages, as tokenizer_config.json names them.
    package var chosenSettings: [String: String] {
        var settings: [String: String] = [:]
        settings["src_lang"] = tokenizer.chosen.source
        settings["tgt_lang"] = tokenizer.chosen.target
        return settings
    }

    /// Translation.
    package var task: any Task<EncoderDecoderNetwork> {
        Translation(tokenizer: tokenizer, maximumPositions: configuration.maximumPositions)
    }

    /// Shapes that differ in width, depth, inner width, heads and vocabulary.
    package static func specimens() throws -> [Specimen] {
        try [
            (64, 128, 4, 2, 1, 2000), (64, 128, 4, 1, 2, 2000), (256, 1024, 8, 6, 6, 32000),
            (512, 2048, 8, 3, 3, 64000), (1024, 4096, 16, 2, 2, 32000), (256, 2048, 4, 2, 6, 128000),
        ].map { (width, inner, heads, encoderLayers, decoderLayers, vocabulary) in
            let settings = Specimen.settings(
                modelType,
                [
                    "d_model": width, "vocab_size": vocabulary, "encoder_layers": encoderLayers,
                    "decoder_layers": decoderLayers, "encoder_attention_heads": heads,
                    "decoder_attention_heads": heads, "encoder_ffn_dim": inner, "decoder_ffn_dim": inner,
                    "pad_token_id": 1, "eos_token_id": 2,
                ])
            return Specimen(
                modelType, try network(try BartConfiguration(variant, settings, generation: settings)))
        }
    }
}

/// What sets one kind of multilingual models apart from the others.
package protocol MultilingualVariant: Sendable {
    /// What it does its own way.
    static var variant: BartVariant { get }
    /// The tokenizers that its models have.
    static var tokenizers: [MultilingualTokenizer.Kind] { get }
    /// What people publish of the kind.
    static var published: PublishedModels { get }
}

/// M2M100 and NLLB: pre-norm, sinusoids, ReLU.
package enum M2M100: MultilingualVariant {
    /// - Source: Fan et al. 2020 (M2M100); NLLB Team 2022; `M2M100ForConditionalGeneration` of Hugging Face
    ///   transformers 5.24.
    package static let variant = BartVariant(
        modelType: "m2m_100", architecture: "M2M100ForConditionalGeneration", normalizesBefore: true,
        positions: .sinusoidsBehindPadding, hasOutputBias: false, activation: "relu", scalesEmbeddings: true,
        startToken: 2, settings: MultilingualSettings.m2m100, generation: MultilingualSettings.generation)
    package static let tokenizers = [MultilingualTokenizer.Kind.m2m100, .nllb]
    package static let published = PublishedModels(
        variant.modelType,
        checkpoints: "facebook/m2m100_418M, m2m100_1.2B; facebook/nllb-200-distilled-600M, -1.3B, -3.3B",
        tasks: "translation", lacks: "norms behind sublayers, NLLB's mixture of experts (nllb-moe)")
}

/// mBART-50: pre-norm, learned positions with a norm behind them, GELU.
package enum MBart: MultilingualVariant {
    /// - Source: Liu et al. 2020 (mBART); Tang et al. 2020 (mBART-50); `MBartForConditionalGeneration` of
    ///   Hugging Face transformers 5.24.
    package static let variant = BartVariant(
        modelType: "mbart", architecture: "MBartForConditionalGeneration", normalizesBefore: true,
        positions: .learned, hasOutputBias: true, activation: "gelu", scalesEmbeddings: false, startToken: 2,
        settings: MultilingualSettings.mBart, generation: MultilingualSettings.generation)
    package static let tokenizers = [MultilingualTokenizer.Kind.mBart50]
    package static let published = PublishedModels(
        variant.modelType,
        checkpoints: "facebook/mbart-large-50-many-to-many-mmt, -one-to-many-mmt, -many-to-one-mmt",
        tasks: "translation", lacks: "mBART-25's tokenizer, filling of gaps")
}

/// Models of M2M100's layout.
package typealias M2M100Family = MultilingualFamily<M2M100>
/// Models of mBART's layout.
package typealias MBartFamily = MultilingualFamily<MBart>
