import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// Language models in the Llama layout: Llama, Mistral, Qwen 2 and 3, SmolLM, Gemma 2 and 3,
/// BitNet.
package struct LlamaFamily: ModelFamily {
    /// The `model_type` of the family.
    package static let modelType = "llama"
    /// The layout's own, and those of models that differ in settings.
    package static let modelTypes: [String] = LlamaVariant.all.keys.sorted()
    /// The tokenizer and what else a packed model needs.
    package let companionFiles = [
        "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    ]

    /// `model.layers.0` and on; nil where layers differ in windows or positions.
    package var layerStack: LayerStack? {
        guard Set(configuration.windows).count == 1, Set(configuration.hasPositions).count == 1 else {
            return nil
        }
        return LayerStack(
            prefix: "model.layers.", countKey: "num_hidden_layers",
            listKeys: ["layer_types", "no_rope_layers"])
    }

    /// The model's own `model_type`.
    package var type: String { configuration.type }
    /// The model's shape.
    package let configuration: LlamaConfiguration
    /// The tokenizer.
    package let tokenizer: SubwordTokenizer
    /// The network without weights.
    package let outline: DecoderNetwork

    /// Reads configuration and tokenizer; one-line errors for what is missing or unsupported.
    package init(directory: URL) throws {
        configuration = try LlamaConfiguration(directory: directory)
        tokenizer = try SubwordTokenizer(directory: directory)
        try Settings.check(directory.appending(path: "tokenizer_config.json"), LlamaSettings.tokenizer)
        guard tokenizer.vocabularySize <= configuration.vocabularySize else {
            throw FileError(
                directory.appending(path: "tokenizer.json"),
                "has \(tokenizer.vocabularySize) tokens, config.json says vocab_size \(configuration.vocabularySize)"
            )
        }
        outline = try Self.network(configuration)
    }

    /// Language modelling.
    package var task: any Task<DecoderNetwork> {
        LanguageModelling(
            tokenizer: tokenizer, maximumPositions: configuration.maximumPositions,
            endTokens: configuration.endTokens, beginToken: configuration.beginToken,
            maximumNewTokens: configuration.maximumNewTokens, maximumLength: configuration.maximumLength,
            unsupportedGeneration: configuration.unsupportedGeneration,
            unsupportedSampling: configuration.unsupportedSampling)
    }

    /// Other names of a tensor in published checkpoints.
    package func aliases(of tensor: String) -> [String] {
        let bare = tensor.hasPrefix("model.") ? [String(tensor.dropFirst("model.".count))] : []
        return bare + (tensor == Self.embeddingName && configuration.isTied ? ["lm_head.weight"] : [])
    }

    private static let embeddingName = "model.embed_tokens.weight"

    /// The network of this shape: pre-norm layers with RMSNorm, rotary positions and gated feed-forwards;
    /// `Head` where the output projection is a matrix of its own. Layers may differ in their windows, and in
    /// whether and how fast they turn by positions.
    ///
    /// - Source: Touvron et al. 2023; Jiang et al. 2023 (Mistral); Yang et al. 2024 and 2025 (Qwen); Gemma
    ///   Team 2024 and 2025; Wang et al. 2023 (BitNet).
    package static func network(
        _ configuration: LlamaConfiguration, _ weights: WeightTable? = nil
    ) throws(MissingWeight) -> DecoderNetwork {
        func rotary(_ settings: RotarySettings) -> RotaryPositions {
            RotaryPositions(
                size: configuration.headSize, theta: settings.theta, scaling: settings.scaling,
                maximumPositions: configuration.maximumPositions)
        }
        let whole = rotary(configuration.rotary)
        let windows =
            configuration.windowRotary == configuration.rotary ? whole : rotary(configuration.windowRotary)
        return try DecoderNetwork(
            weights, endTokens: configuration.endTokens, maximumPositions: configuration.maximumPositions
        ) { weights throws(MissingWeight) in
            try parts(
                configuration, rotary: configuration.windows.map { $0 == nil ? whole : windows }, weights)
        }
    }

    /// - Parameter rotary: by layer.
    private static func parts(
        _ configuration: LlamaConfiguration, rotary: [RotaryPositions], _ weights: WeightTable?
    ) throws(MissingWeight) -> DecoderNetwork.Parts {
        let (width, vocabulary) = (configuration.width, configuration.vocabularySize)
        func norms(width: Int) -> Normalization {
            .preRootMeanSquare(
                width: width, epsilon: configuration.normEpsilon, offset: configuration.isGemma ? 1 : 0)
        }
        let normalization = norms(width: width)
        func shape(_ depth: Int) -> AttentionShape {
            AttentionShape(
                width: width, heads: configuration.heads, keyHeads: configuration.keyHeads,
                headSize: configuration.headSize, hasBias: configuration.attentionHasBias,
                outputHasBias: configuration.attentionOutputHasBias,
                rotary: configuration.hasPositions[depth] ? rotary[depth] : nil,
                headNorm: configuration.normalizesHeads ? norms(width: configuration.headSize) : nil,
                outputNorm: configuration.normalizesInside
                    ? norms(width: configuration.heads * configuration.headSize) : nil,
                window: configuration.windows[depth], scale: configuration.attentionScale,
                cap: configuration.attentionCap)
        }
        var list = SublayerList(weights)
        var norm: Norm?
        let embedding = try list.append(.embedding) { reader throws(MissingWeight) in
            norm = try normalization.norm("model.norm", &reader)
            return try TokenEmbedding(
                embeddingName, rows: vocabulary, width: width,
                scale: configuration.isGemma ? Float(width).squareRoot() : 1, lookups: [.read, .step],
                isTied: configuration.isTied, &reader)
        }
        for depth in 0..<configuration.layers {
            let layer = "model.layers.\(depth)"
            // Of Gemma's four norms the one behind attention has the name of the feed-forward's in others.
            let behindAttention = layer + ".post_attention_layernorm"
            try list.append(.attention, depth: depth) { reader throws(MissingWeight) in
                try SelfAttention(
                    AttentionNames(layer + ".self_attn", output: "o_proj"), shape(depth),
                    norm: layer + ".input_layernorm",
                    branchNorm: configuration.isGemma ? behindAttention : nil, normalization, .decoderAlone,
                    &reader)
            }
            try list.append(.feedForward, depth: depth) { reader throws(MissingWeight) in
                try FeedForward(
                    FeedForward.Shape(
                        inner: [layer + ".mlp.gate_proj", layer + ".mlp.up_proj"],
                        outer: layer + ".mlp.down_proj", width: width,
                        innerWidth: configuration.innerWidth, activation: configuration.activation,
                        hasBias: configuration.feedForwardHasBias,
                        innerNorm: configuration.normalizesInside
                            ? (layer + ".mlp.ffn_sub_norm", norms(width: configuration.innerWidth)) : nil),
                    norm: configuration.isGemma ? layer + ".pre_feedforward_layernorm" : behindAttention,
                    branchNorm: configuration.isGemma ? layer + ".post_feedforward_layernorm" : nil,
                    normalization, .decoderAlone, &reader)
            }
        }
        let output =
            configuration.isTied
            ? Linear(tied: embeddingName, embedding.matrix, bias: nil, called: "")
            : try list.append(.head) { reader throws(MissingWeight) in
                try OutputProjection(
                    "lm_head", rows: vocabulary, columns: width, hasBias: false, &reader)
            }.linear
        return DecoderNetwork.Parts(
            sublayers: list, embedding: embedding, norm: norm, output: output, cap: configuration.outputCap)
    }

    /// Shapes that differ in width, depth, inner width, heads and vocabulary; the last has norms of queries
    /// and keys, and few heads of keys.
    package static func specimens() throws -> [Specimen] {
        try [
            (128, 384, 4, 4, 4000), (128, 512, 4, 8, 8000), (256, 768, 4, 4, 16000), (256, 1024, 8, 8, 8000),
            (384, 1024, 6, 4, 32000), (512, 1536, 8, 8, 32000), (512, 1024, 16, 4, 16000),
            (576, 1536, 9, 6, 49000),
        ].map { width, inner, heads, layers, vocabulary in
            let settings = Specimen.settings(
                modelType,
                [
                    "hidden_size": width, "vocab_size": vocabulary, "num_hidden_layers": layers,
                    "num_attention_heads": heads, "intermediate_size": inner, "tie_word_embeddings": true,
                ])
            return Specimen(
                modelType, try network(try LlamaConfiguration(settings, generation: settings)))
        } + [normalizedSpecimen()]
    }

    private static func normalizedSpecimen() throws -> Specimen {
        let settings = Specimen.settings(
            "qwen3",
            [
                "hidden_size": 256, "vocab_size": 8000, "num_hidden_layers": 4, "num_attention_heads": 8,
                "num_key_value_heads": 2, "head_dim": 64, "intermediate_size": 768,
                "tie_word_embeddings": true,
            ])
        return Specimen(modelType, try network(try LlamaConfiguration(settings, generation: settings)))
    }
}
