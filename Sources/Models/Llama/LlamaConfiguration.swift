import BitplanTensors
import Foundation

/// The shape of a language model in the Llama layout, read from `config.json` and `generation_config.json`.
package struct LlamaConfiguration: Sendable, Equatable {
    /// `model_type`: the layout's own, or that of a model that differs in settings.
    package let type: String
    /// Channels between sublayers.
    package let width: Int
    /// Rows of the word embedding.
    package let vocabularySize: Int
    /// The number of layers.
    package let layers: Int
    /// Attention heads.
    package let heads: Int
    /// Heads of keys and values; `heads` without grouped-query attention.
    package let keyHeads: Int
    /// Channels of a head.
    package let headSize: Int
    /// Channels inside a feed-forward sublayer.
    package let innerWidth: Int
    /// The non-linearity.
    package let activation: ActivationFunction
    /// What is added to the variance in a norm.
    package let normEpsilon: Float
    /// The rotary frequencies of layers that see a whole text.
    let rotary: RotarySettings
    /// Those of layers that see a window.
    let windowRotary: RotarySettings
    /// What dot products of queries and keys are multiplied by; the root of a head's channels divides them
    /// where nil.
    let attentionScale: Float?
    /// The bound of these products; nil where they have none.
    let attentionCap: SoftCap?
    /// The bound of the scores of tokens; nil where they have none.
    let outputCap: SoftCap?
    /// The longest sequence.
    package let maximumPositions: Int
    /// Whether the output projection is the embedding.
    package let isTied: Bool
    /// Whether queries, keys and values have biases.
    package let attentionHasBias: Bool
    /// Whether the output projection of attention has one.
    package let attentionOutputHasBias: Bool
    /// Whether every head's queries and keys are normalized.
    package let normalizesHeads: Bool
    /// Whether what goes into the last product of a sublayer is normalized.
    package let normalizesInside: Bool
    /// Whether embeddings are scaled by the root of their width, norms add 1 to their weights, and branches
    /// have norms at both ends.
    package let isGemma: Bool
    /// By layer, how many tokens a token sees, itself the last of them; nil where it sees all before it.
    package let windows: [Int?]
    /// By layer, whether queries and keys are turned by their positions.
    package let hasPositions: [Bool]
    /// Whether feed-forward layers have biases.
    package let feedForwardHasBias: Bool
    /// Tokens that end a text.
    package let endTokens: [Int]
    /// The token that a text starts with, for models that have one.
    package let beginToken: Int?
    /// A setting of generation that would change its text and is not supported: only `run` refuses it. nil
    /// where there is none.
    package let unsupportedGeneration: FileError?
    /// The same for settings that matter only where tokens are drawn.
    package let unsupportedSampling: FileError?
    /// `max_new_tokens`: the most tokens that generation adds to a text; nil where it is not given.
    package let maximumNewTokens: Int?
    /// `max_length`: the most tokens of a text and its continuation, unless `maximumNewTokens` is given; nil
    /// where it is not.
    package let maximumLength: Int?

    /// Reads the configuration of a model directory.
    ///
    /// - Throws: `FileError` where a file is missing, a key has the wrong type or a value that bitplan does
    ///   not support.
    package init(directory: URL) throws(FileError) {
        let settings = try Settings(directory.appending(path: "config.json"))
        let separate = directory.appending(path: "generation_config.json")
        let generation =
            FileManager.default.fileExists(atPath: separate.path) ? try Settings(separate) : settings
        try self.init(settings, generation: generation)
        if let variant = LlamaVariant.all[type] { _ = try settings.architecture([variant.architecture]) }
    }

    /// Reads the configuration from its settings; errors as `init(directory:)`.
    package init(_ settings: Settings, generation: Settings) throws(FileError) {
        type = try settings.text("model_type")
        guard let variant = LlamaVariant.all[type] else {
            let known = LlamaVariant.all.keys.sorted().joined(separator: ", ")
            throw FileError(
                settings.file, "model_type '\(type)' is not supported here: expected one of \(known)")
        }
        try settings.check(variant.rules)
        width = try settings.size("hidden_size")
        vocabularySize = try settings.size("vocab_size")
        layers = try settings.count("num_hidden_layers")
        heads = try settings.size("num_attention_heads")
        // Null is said, and means as many as heads.
        let usualKeyHeads = settings.object["num_key_value_heads"] == nil ? variant.keyHeads : nil
        keyHeads = try settings.size("num_key_value_heads", or: usualKeyHeads ?? heads)
        guard heads % keyHeads == 0 else {
            throw FileError(
                settings.file,
                "num_attention_heads \(heads) is not a multiple of num_key_value_heads \(keyHeads)")
        }
        guard settings.has("head_dim") || variant.headSize != nil || width % heads == 0 else {
            throw FileError(
                settings.file, "hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
        }
        headSize = try settings.size("head_dim", or: variant.headSize ?? max(1, width / heads))
        guard headSize % 2 == 0 else {
            throw FileError(
                settings.file, "heads of \(headSize) channels: rotary positions need an even number")
        }
        innerWidth = try settings.size("intermediate_size")
        activation = try ActivationFunction(settings, variant.activation.key, or: variant.activation.usual)
        normEpsilon = Float(try settings.number("rms_norm_eps", or: 1e-6))
        maximumPositions = try settings.size("max_position_embeddings", or: variant.maximumPositions)
        (rotary, windowRotary) = try RotarySettings.byLayer(
            settings, variant, maximumPositions: maximumPositions)
        isGemma = variant.gemma != nil
        attentionScale = try variant.gemma.map { _ throws(FileError) in
            try 1 / Float(settings.size("query_pre_attn_scalar", or: 256)).squareRoot()
        }
        attentionCap = try variant.gemma?.usualAttentionCap.flatMap { usual throws(FileError) in
            try Self.cap("attn_logit_softcapping", or: usual, settings)
        }
        outputCap = try variant.gemma.flatMap { gemma throws(FileError) in
            try Self.cap("final_logit_softcapping", or: gemma.usualOutputCap, settings)
        }
        isTied = try settings.flag("tie_word_embeddings", or: variant.isTied)
        switch variant.biases {
        case .none: (attentionHasBias, attentionOutputHasBias) = (false, false)
        case .inputs: (attentionHasBias, attentionOutputHasBias) = (true, false)
        case .byKey:
            attentionHasBias = try settings.flag("attention_bias", or: false)
            attentionOutputHasBias = attentionHasBias
        }
        feedForwardHasBias =
            variant.rules["mlp_bias"] == .read ? try settings.flag("mlp_bias", or: false) : false
        normalizesHeads = variant.normalizesHeads
        normalizesInside = variant.normalizesInside
        hasPositions = try LayerSettings.positions(settings, variant, layers: layers)
        windows = try LayerSettings.windows(settings, variant, hasPositions: hasPositions)
        endTokens = try LlamaConfiguration.tokens("eos_token_id", generation, settings, vocabularySize)
        beginToken = try LlamaConfiguration.tokens("bos_token_id", generation, settings, vocabularySize).first
        maximumNewTokens =
            try generation.has("max_new_tokens") ? generation.size("max_new_tokens") : nil
        maximumLength = try generation.has("max_length") ? generation.size("max_length") : nil
        func unsupported(_ rules: SettingRules) -> FileError? {
            do throws(FileError) { try generation.check(rules) } catch { return error }
            return nil
        }
        unsupportedGeneration = unsupported(LlamaSettings.generation)
        unsupportedSampling = unsupported(LlamaSettings.sampling)
    }

    /// A bound under a key: nil where it is null, `usual` where it is not given.
    private static func cap(
        _ key: String, or usual: Double?, _ settings: Settings
    ) throws(FileError) -> SoftCap? {
        guard settings.has(key) else {
            return settings.object[key] == nil ? usual.map { SoftCap(bound: Float($0)) } : nil
        }
        let bound = Float(try settings.number(key))
        guard bound > 0, bound.isFinite else {
            throw FileError(settings.file, "'\(key)': expected a positive number, got \(bound)")
        }
        return SoftCap(bound: bound)
    }

    /// Token ids under a key, one or several: the generation settings' before the model's.
    private static func tokens(
        _ key: String, _ generation: Settings, _ model: Settings, _ vocabularySize: Int
    ) throws(FileError) -> [Int] {
        let settings = generation.has(key) ? generation : model
        guard let value = settings.any(key) else { return [] }
        let ids = if let list = value as? [Int] { list } else { [try settings.integer(key)] }
        for id in ids where !(0..<vocabularySize).contains(id) {
            throw FileError(
                settings.file, "'\(key)': token \(id) is outside the vocabulary of \(vocabularySize)")
        }
        return ids
    }
}
