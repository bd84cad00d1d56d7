import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// MarianMT translation models, as OPUS-MT publishes them: with one vocabulary and one embedding, or with
/// those of source and target apart.
package struct MarianFamily: BartFamily {
    /// Norms behind every sublayer, static sinusoids.
    ///
    /// - Source: Junczys-Dowmunt et al. 2018 (Marian); `MarianMTModel` of Hugging Face transformers 5.24.
    package static let variant = BartVariant(
        modelType: "marian", architecture: "MarianMTModel", normalizesBefore: false, positions: .sinusoids,
        hasOutputBias: true, activation: "gelu", scalesEmbeddings: false, startToken: nil,
        settings: MarianSettings.model, generation: MarianSettings.generation)
    /// What people publish. Names are those of Hugging Face's hub.
    package static let published = [
        PublishedModels(
            variant.modelType, checkpoints: "Helsinki-NLP/opus-mt-en-de, opus-mt-tc-big-en-pt and the like",
            tasks: "translation",
            lacks: "norms before sublayers")
    ]
    /// Generation settings and the tokenizer.
    package let companionFiles = [
        "generation_config.json", "source.spm", "target.spm", "vocab.json", "target_vocab.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    ]

    /// The model's shape and how it generates.
    package let configuration: BartConfiguration
    /// The tokenizers of both sides.
    package let tokenizer: MarianTokenizer
    /// The network without weights.
    package let outline: EncoderDecoderNetwork

    /// Reads configuration and tokenizer; `FileError` or `TokenizerError` for what is missing or unsupported.
    package init(directory: URL) throws {
        configuration = try BartConfiguration(Self.variant, directory: directory)
        tokenizer = try MarianTokenizer(directory: directory)
        try Settings.check(directory.appending(path: "tokenizer_config.json"), MarianSettings.tokenizer)
        for (file, tokens, key, size) in [
            ("vocab.json", tokenizer.vocabularySize, "vocab_size", configuration.sourceVocabularySize),
            (
                tokenizer.hasSeparateVocabularies ? "target_vocab.json" : "vocab.json",
                tokenizer.targetVocabularySize,
                configuration.sharesEmbedding ? "vocab_size" : "decoder_vocab_size",
                configuration.targetVocabularySize
            ),
        ] where tokens > size {
            throw FileError(
                directory.appending(path: file), "has \(tokens) tokens, config.json says \(key) \(size)")
        }
        outline = try Self.network(configuration)
    }

    /// Translation.
    package var task: any Task<EncoderDecoderNetwork> {
        Translation(tokenizer: tokenizer, maximumPositions: configuration.maximumPositions)
    }

    /// Shapes that differ in width, depth, inner width, heads and vocabulary.
    package static func specimens() throws -> [Specimen] {
        try [
            (128, 512, 4, 4, 4, 4000), (128, 512, 4, 2, 6, 16000), (256, 2048, 4, 6, 2, 8000),
            (256, 1024, 8, 3, 3, 32000), (512, 2048, 8, 6, 6, 32000), (512, 1024, 8, 6, 6, 65000),
            (512, 2048, 16, 3, 1, 8000), (128, 1024, 8, 6, 6, 8000), (384, 1536, 6, 6, 1, 32000),
        ].map { (width, inner, heads, encoderLayers, decoderLayers, vocabulary) in
            let settings = Specimen.settings(
                modelType,
                [
                    "d_model": width, "vocab_size": vocabulary, "encoder_layers": encoderLayers,
                    "decoder_layers": decoderLayers, "encoder_attention_heads": heads,
                    "decoder_attention_heads": heads, "encoder_ffn_dim": inner, "decoder_ffn_dim": inner,
                    "activation_function": "swish", "pad_token_id": vocabulary - 1, "eos_token_id": 0,
                ])
            return Specimen(
                modelType, try network(try BartConfiguration(variant, settings, generation: settings)))
        }
    }
}
