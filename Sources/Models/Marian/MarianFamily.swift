import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// MarianMT translation models, as OPUS-MT publishes them.
package struct MarianFamily: ModelFamily {
    /// `marian`.
    package static let modelType = "marian"
    /// What people publish. Names are those of Hugging Face's hub.
    package static let published = [
        PublishedModels(
            modelType, checkpoints: "Helsinki-NLP/opus-mt-en-de and the like", tasks: "translation",
            lacks: "separate vocabularies, embeddings that are not tied, norms before sublayers")
    ]
    /// Generation settings and the tokenizer.
    package let companionFiles = [
        "generation_config.json", "source.spm", "target.spm", "vocab.json", "target_vocab.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    ]

    /// The model's shape and how it generates.
    package let configuration: MarianConfiguration
    /// The tokenizers of both sides.
    package let tokenizer: MarianTokenizer
    /// The network without weights.
    package let outline: EncoderDecoderNetwork

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
        outline = try Self.network(configuration)
    }

    /// Translation.
    package var task: any Task<EncoderDecoderNetwork> {
        Translation(tokenizer: tokenizer, maximumPositions: configuration.maximumPositions)
    }

    /// The names of the tied embedding in published checkpoints.
    package func aliases(of tensor: String) -> [String] {
        tensor == Self.embeddingName
            ? ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"]
            : []
    }

    private static let outputBiasName = "final_logits_bias"
    private static let embeddingName = "model.shared.weight"
    private static let normEpsilon: Float = 1e-5

    /// The network of this shape: post-norm layers, static sinusoids, one embedding for source, target and
    /// output.
    ///
    /// - Source: Junczys-Dowmunt et al. 2018 (Marian); Vaswani et al. 2017; Chung et al. 2020 for the names
    ///   of the sublayers.
    package static func network(
        _ configuration: MarianConfiguration, _ weights: WeightTable? = nil
    ) throws(MissingWeight) -> EncoderDecoderNetwork {
        let positions = Sinusoids(width: configuration.width)
        return try EncoderDecoderNetwork(
            weights, generation: configuration.generation, maximumPositions: configuration.maximumPositions
        ) { weights throws(MissingWeight) in try parts(configuration, positions, weights) }
    }

    private static func parts(
        _ configuration: MarianConfiguration, _ positions: Sinusoids, _ weights: WeightTable?
    ) throws(MissingWeight) -> EncoderDecoderNetwork.Parts {
        let width = configuration.width
        var list = SublayerList(weights)
        var outputBias: [Float] = []
        let embedding = try list.append(.embedding) { reader throws(MissingWeight) in
            outputBias = try reader.vector(outputBiasName, count: configuration.vocabularySize)
            return try TokenEmbedding(
                embeddingName, rows: configuration.vocabularySize, width: width,
                scale: configuration.scalesEmbeddings ? Float(width).squareRoot() : 1, positions: positions,
                lookups: [.read, .step], isTied: true, &reader)
        }
        let norm = Normalization.post(width: width, epsilon: normEpsilon)
        func attention(_ heads: Int) -> AttentionShape { AttentionShape(width: width, heads: heads) }
        func feedForward(_ layer: String, _ innerWidth: Int) -> FeedForward.Shape {
            FeedForward.Shape(
                inner: [layer + ".fc1"], outer: layer + ".fc2", width: width, innerWidth: innerWidth,
                activation: configuration.activation)
        }
        for depth in 0..<configuration.encoderLayers {
            let layer = "model.encoder.layers.\(depth)"
            try list.append(.encoderSelfAttention, depth: depth) { reader throws(MissingWeight) in
                try SelfAttention(
                    AttentionNames(layer + ".self_attn"), attention(configuration.encoderHeads),
                    norm: layer + ".self_attn_layer_norm", norm, .encoder, &reader)
            }
            try list.append(.encoderFeedForward, depth: depth) { reader throws(MissingWeight) in
                try FeedForward(
                    feedForward(layer, configuration.encoderInnerWidth), norm: layer + ".final_layer_norm",
                    norm, .encoder, &reader)
            }
        }
        for depth in 0..<configuration.decoderLayers {
            let layer = "model.decoder.layers.\(depth)"
            try list.append(.decoderSelfAttention, depth: depth) { reader throws(MissingWeight) in
                try SelfAttention(
                    AttentionNames(layer + ".self_attn"), attention(configuration.decoderHeads),
                    norm: layer + ".self_attn_layer_norm", norm, .decoder, &reader)
            }
            try list.append(.decoderCrossAttention, depth: depth) { reader throws(MissingWeight) in
                try CrossAttention(
                    SublayerName(.decoderCrossAttention, depth: depth),
                    AttentionNames(layer + ".encoder_attn"), attention(configuration.decoderHeads),
                    norm: layer + ".encoder_attn_layer_norm", norm, &reader)
            }
            try list.append(.decoderFeedForward, depth: depth) { reader throws(MissingWeight) in
                try FeedForward(
                    feedForward(layer, configuration.decoderInnerWidth), norm: layer + ".final_layer_norm",
                    norm, .decoder, &reader)
            }
        }
        // Most models have a bias of zeros, which costs a pass over the scores.
        return EncoderDecoderNetwork.Parts(
            sublayers: list, source: embedding, target: embedding,
            output: Linear(
                tied: embeddingName, embedding.matrix,
                bias: outputBias.contains { $0 != 0 } ? outputBias : nil, called: outputBiasName))
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
                modelType, try network(try MarianConfiguration(settings, generation: settings)))
        }
    }
}
