import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// T5 and T5 v1.1 (Flan-T5 too): text to text. What is to be done, a translation for example, the text itself
/// says: `translate English to German: ...`.
package struct T5Family: ModelFamily {
    /// `t5`.
    package static let modelType = "t5"
    /// What people publish. Names are those of Hugging Face's hub.
    package static let published = [
        PublishedModels(
            modelType, checkpoints: "google-t5/t5-small to t5-3b; google/t5-v1_1-*; google/flan-t5-*",
            tasks: "translation and other text to text",
            lacks: "mT5 and UMT5 (mt5, umt5), LongT5, a tokenizer.json without spiece.model")
    ]
    /// Generation settings and the tokenizer.
    package let companionFiles = [
        "generation_config.json", "spiece.model", "tokenizer_config.json", "special_tokens_map.json",
        "added_tokens.json",
    ]

    /// The model's shape and how it generates.
    package let configuration: T5Configuration
    /// The tokenizer of both sides.
    package let tokenizer: T5Tokenizer
    /// The network without weights.
    package let outline: EncoderDecoderNetwork

    /// Reads configuration and tokenizer; `FileError` or `TokenizerError` for what is missing or unsupported.
    package init(directory: URL) throws {
        configuration = try T5Configuration(directory: directory)
        try Settings.check(directory.appending(path: "tokenizer_config.json"), T5Settings.tokenizer)
        tokenizer = try T5Tokenizer(directory: directory)
        guard tokenizer.vocabularySize <= configuration.vocabularySize else {
            throw FileError(
                directory.appending(path: "spiece.model"),
                "makes \(tokenizer.vocabularySize) tokens with the sentinels, config.json says vocab_size \(configuration.vocabularySize)"
            )
        }
        outline = try Self.network(configuration)
    }

    /// Translation of lines that say into what.
    package var task: any Task<EncoderDecoderNetwork> {
        Translation(tokenizer: tokenizer, maximumPositions: TranslationSettings.unlimited)
    }

    /// The names of the tied embedding in published checkpoints.
    package func aliases(of tensor: String) -> [String] {
        guard tensor == Self.embeddingName else { return [] }
        let names = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"]
        return configuration.tiesOutput ? names + [Self.outputName] : names
    }

    private static let embeddingName = "shared.weight"
    private static let outputName = "lm_head.weight"

    /// The network of this shape: pre-norm with root mean squares, attention without scaling, biases of its
    /// scores by relative position that all layers of a stack share.
    ///
    /// - Source: Raffel et al. 2020; Shazeer 2020 for gates (v1.1); Chung et al. 2020 for the names of the
    ///   sublayers.
    package static func network(
        _ configuration: T5Configuration, _ weights: WeightTable? = nil
    ) throws(MissingWeight) -> EncoderDecoderNetwork {
        try EncoderDecoderNetwork(
            weights, generation: configuration.generation, maximumPositions: TranslationSettings.unlimited
        ) { weights throws(MissingWeight) in
            var list = SublayerList(weights)
            let ends = try list.append(.embedding) { reader throws(MissingWeight) in
                try TranslationEmbeddings(
                    TranslationEmbeddings.Shape(
                        source: embeddingName, sourceRows: configuration.vocabularySize, target: nil,
                        targetRows: configuration.vocabularySize,
                        output: configuration.tiesOutput ? nil : outputName, outputBias: nil,
                        width: configuration.width, scale: 1),
                    &reader)
            }
            try append(.encoder, configuration, to: &list)
            try append(.decoder, configuration, to: &list)
            return EncoderDecoderNetwork.Parts(
                sublayers: list, source: ends.source, target: ends.target, output: ends.output,
                outputScale: configuration.tiesOutput ? 1 / Float(configuration.width).squareRoot() : 1)
        }
    }

    /// Appends the layers of a stack.
    private static func append(
        _ stack: Stack, _ configuration: T5Configuration, to list: inout SublayerList
    ) throws(MissingWeight) {
        let (name, layers) =
            stack == .encoder
            ? ("encoder", configuration.encoderLayers) : ("decoder", configuration.decoderLayers)
        let norm = Normalization.preRootMeanSquare(
            width: configuration.width, epsilon: configuration.normEpsilon)
        let isEncoder = stack == .encoder
        var relative: RelativePositions?
        for depth in 0..<layers {
            let layer = "\(name).block.\(depth).layer"
            try list.append(
                isEncoder ? .encoderSelfAttention : .decoderSelfAttention, depth: depth
            ) { reader throws(MissingWeight) in
                let attention = layer + ".0.SelfAttention"
                if depth == 0 {
                    relative = try RelativePositions(
                        attention + ".relative_attention_bias.weight",
                        RelativePositions.Shape(
                            buckets: configuration.buckets, maximumDistance: configuration.maximumDistance,
                            heads: configuration.heads, isBidirectional: isEncoder),
                        &reader)
                }
                return try SelfAttention(
                    names(attention), shape(configuration, relative), norm: layer + ".0.layer_norm", norm,
                    stack, &reader)
            }
            if !isEncoder {
                try list.append(.decoderCrossAttention, depth: depth) { reader throws(MissingWeight) in
                    try CrossAttention(
                        SublayerName(.decoderCrossAttention, depth: depth),
                        names(layer + ".1.EncDecAttention"), shape(configuration, nil),
                        norm: layer + ".1.layer_norm", norm, &reader)
                }
            }
            let feedForward = layer + (isEncoder ? ".1" : ".2")
            try list.append(
                isEncoder ? .encoderFeedForward : .decoderFeedForward, depth: depth
            ) { reader throws(MissingWeight) in
                let dense = feedForward + ".DenseReluDense"
                return try FeedForward(
                    FeedForward.Shape(
                        inner: configuration.isGated ? [dense + ".wi_0", dense + ".wi_1"] : [dense + ".wi"],
                        outer: dense + ".wo", width: configuration.width,
                        innerWidth: configuration.innerWidth, activation: configuration.activation,
                        hasBias: false),
                    norm: feedForward + ".layer_norm",
                    last: depth == layers - 1 ? name + ".final_layer_norm" : nil, norm, stack, &reader)
            }
        }
    }

    private static func names(_ attention: String) -> AttentionNames {
        AttentionNames(
            query: attention + ".q", key: attention + ".k", value: attention + ".v", output: attention + ".o")
    }

    private static func shape(
        _ configuration: T5Configuration, _ relative: RelativePositions?
    ) -> AttentionShape {
        AttentionShape(
            width: configuration.width, heads: configuration.heads, keyHeads: configuration.heads,
            headSize: configuration.headSize, hasBias: false, scale: 1, relative: relative)
    }

    /// Shapes that differ in width, depth, inner width, heads and vocabulary.
    package static func specimens() throws -> [Specimen] {
        try [
            (64, 128, 4, 16, 2, 1, 2000, "relu"), (64, 160, 4, 24, 1, 2, 2000, "gated-gelu"),
            (512, 2048, 8, 64, 6, 6, 32128, "relu"), (512, 1024, 6, 64, 8, 8, 32128, "gated-gelu"),
            (256, 1024, 4, 64, 4, 4, 16000, "gated-gelu"), (384, 1536, 8, 32, 3, 6, 8000, "relu"),
        ].map { (width, inner, heads, size, encoderLayers, decoderLayers, vocabulary, projection) in
            let settings = Specimen.settings(
                modelType,
                [
                    "d_model": width, "vocab_size": vocabulary, "num_layers": encoderLayers,
                    "num_decoder_layers": decoderLayers, "num_heads": heads, "d_kv": size, "d_ff": inner,
                    "feed_forward_proj": projection, "tie_word_embeddings": projection == "relu",
                    "pad_token_id": 0, "eos_token_id": 1,
                ])
            return Specimen(
                modelType, try network(try T5Configuration(settings, generation: settings)))
        }
    }
}
