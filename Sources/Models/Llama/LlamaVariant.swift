/// What sets one `model_type` of the Llama layout apart from the others: the class of its weights, what is
/// meant where config.json does not say it, and which of its keys count.
///
/// - Source: the configuration and modeling files of these models in Hugging Face transformers 5.24.
struct LlamaVariant: Sendable {
    /// The class that `architectures` has to name.
    let architecture: String
    /// What bitplan does with the keys of config.json.
    let rules: SettingRules
    /// `max_position_embeddings` where it is not given.
    let maximumPositions: Int
    /// `num_key_value_heads` where it is not given; as many as `num_attention_heads` where nil.
    var keyHeads: Int?
    /// `head_dim` where it is not given; `hidden_size` over `num_attention_heads` where nil.
    var headSize: Int?
    /// `rope_theta` where it is not given.
    var theta = 10000.0
    /// `tie_word_embeddings` where it is not given.
    var isTied = false
    /// Which projections of attention have biases.
    var biases = Biases.none
    /// Whether every head's queries and keys are normalized.
    var normalizesHeads = false
    /// Whether what goes into the last product of a sublayer is normalized (SubLN).
    var normalizesInside = false
    /// Which layers have a sliding window.
    var windows = Windows.none
    /// Whether some layers turn nothing by positions.
    var hasLayersWithoutPositions = false
    /// `rope_local_base_freq` where it is not given: layers with windows have frequencies of their own; nil
    /// where all layers have the same.
    var windowTheta: Double?
    /// The key of the non-linearity, and what it is where it is not given.
    var activation = (key: "hidden_act", usual: "silu")
    /// What Gemma 2 and 3 do otherwise; nil in other models.
    var gemma: Gemma?

    /// Embeddings are scaled by the root of their width, norms add 1 to their weights and stand before and
    /// behind every branch, dot products are divided by the root of `query_pre_attn_scalar`, and scores kept
    /// within bounds.
    struct Gemma: Sendable {
        static let activation = (key: "hidden_activation", usual: "gelu_pytorch_tanh")
        /// `attn_logit_softcapping` where it is not given; nil where the key does not count.
        var usualAttentionCap: Double?
        /// `final_logit_softcapping` where it is not given; scores are as they are where nil.
        var usualOutputCap: Double?
    }

    /// Which projections of attention have biases.
    enum Biases: Sendable {
        case none
        /// All or none, by `attention_bias`.
        case byKey
        /// Queries, keys and values.
        case inputs
    }

    /// Which layers have a sliding window.
    enum Windows: Sendable {
        case none
        /// All, where `sliding_window` is not null.
        case all(usual: Int)
        /// With `use_sliding_window`, those that `layer_types` names; where it names none, those from
        /// `max_window_layers` on, or those without positions where the model has such.
        case byLayer(usual: Int?, firstLayer: Int)
        /// Those that `layer_types` names; where it names none, all but every `period`-th, or of another
        /// period where `sliding_window_pattern` counts.
        case allBut(period: Int, usual: Int)
    }

    /// By `model_type`.
    static let all: [String: LlamaVariant] = [
        "llama": LlamaVariant(
            architecture: "LlamaForCausalLM", rules: LlamaSettings.model, maximumPositions: 2048,
            biases: .byKey),
        "mistral": LlamaVariant(
            architecture: "MistralForCausalLM", rules: LlamaSettings.mistral, maximumPositions: 4096 * 32,
            keyHeads: 8, windows: .all(usual: 4096)),
        "bitnet": LlamaVariant(
            architecture: "BitNetForCausalLM", rules: LlamaSettings.bitnet, maximumPositions: 2048,
            keyHeads: 5, theta: 500_000, biases: .byKey, normalizesInside: true,
            activation: ("hidden_act", "relu2")),
        "qwen2": LlamaVariant(
            architecture: "Qwen2ForCausalLM", rules: LlamaSettings.qwen2, maximumPositions: 32768,
            keyHeads: 32, biases: .inputs, windows: .byLayer(usual: 4096, firstLayer: 28)),
        "qwen3": LlamaVariant(
            architecture: "Qwen3ForCausalLM", rules: LlamaSettings.qwen3, maximumPositions: 32768,
            keyHeads: 32, headSize: 128, biases: .byKey, normalizesHeads: true,
            windows: .byLayer(usual: 4096, firstLayer: 28)),
        "smollm3": LlamaVariant(
            architecture: "SmolLM3ForCausalLM", rules: LlamaSettings.smollm3, maximumPositions: 32768,
            keyHeads: 4, theta: 2_000_000, isTied: true, biases: .byKey,
            windows: .byLayer(usual: nil, firstLayer: 0), hasLayersWithoutPositions: true),
        "gemma2": LlamaVariant(
            architecture: "Gemma2ForCausalLM", rules: LlamaSettings.gemma2, maximumPositions: 8192,
            keyHeads: 4, headSize: 256, isTied: true, biases: .byKey,
            windows: .allBut(period: 2, usual: 4096), activation: Gemma.activation,
            gemma: Gemma(usualAttentionCap: 50, usualOutputCap: 30)),
        "gemma3_text": LlamaVariant(
            architecture: "Gemma3ForCausalLM", rules: LlamaSettings.gemma3, maximumPositions: 131072,
            keyHeads: 4, headSize: 256, theta: 1_000_000, isTied: true, biases: .byKey,
            normalizesHeads: true, windows: .allBut(period: 6, usual: 4096), windowTheta: 10000,
            activation: Gemma.activation, gemma: Gemma()),
    ]
}
