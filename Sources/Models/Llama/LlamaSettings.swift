/// What language models in the Llama layout do with every key of their files.
///
/// - Source: `LlamaConfig`, `MistralConfig`, `BitNetConfig`, `Qwen2Config`, `Qwen3Config`, `SmolLM3Config`,
///   `Gemma2Config`, `Gemma3TextConfig`, `GenerationConfig` and the tokenizers' classes of Hugging Face
///   transformers 5.24.
package enum LlamaSettings {
    /// Keys that all models of the layout have.
    private static let layout: SettingRules = SettingRules.model.adding(
        read: [
            "bos_token_id", "eos_token_id", "hidden_act", "hidden_size", "intermediate_size",
            "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "rms_norm_eps",
            "rope_parameters", "rope_scaling", "rope_theta", "tie_word_embeddings",
        ],
        harmless: [
            "attention_dropout", "initializer_range", "pad_token_id", "is_decoder",
        ],
        refused: [
            "is_encoder_decoder": [false]
        ])

    package static let model: SettingRules = layout.adding(
        read: ["attention_bias", "head_dim", "mlp_bias"], harmless: ["pretraining_tp"])

    package static let mistral: SettingRules = layout.adding(read: ["head_dim", "sliding_window"])

    package static let bitnet: SettingRules = layout.adding(read: ["attention_bias", "head_dim"])

    package static let qwen2: SettingRules = layout.adding(
        read: ["layer_types", "max_window_layers", "sliding_window", "use_sliding_window"])

    package static let qwen3: SettingRules = qwen2.adding(read: ["attention_bias", "head_dim"])

    package static let smollm3: SettingRules = layout.adding(
        read: [
            "attention_bias", "layer_types", "mlp_bias", "no_rope_layer_interval", "no_rope_layers",
            "sliding_window", "use_sliding_window",
        ])

    package static let gemma2: SettingRules = layout.adding(
        read: [
            "attention_bias", "attn_logit_softcapping", "final_logit_softcapping", "head_dim",
            "hidden_activation", "layer_types", "query_pre_attn_scalar", "sliding_window",
        ],
        // The reference does not know it of these models.
        harmless: ["hidden_act"],
        refused: ["use_bidirectional_attention": [false]])

    package static let gemma3: SettingRules = gemma2.adding(
        read: ["rope_local_base_freq", "sliding_window_pattern"],
        // What `layer_types` was made from.
        harmless: ["_sliding_window_pattern"],
        refused: ["attn_logit_softcapping": []])

    /// What `run` refuses, whether it draws or takes the likeliest token.
    package static let generation: SettingRules = SettingRules.generation.adding(
        read: [
            "bos_token_id", "eos_token_id", "max_length", "max_new_tokens",
        ],
        harmless: [
            "decoder_start_token_id", "pad_token_id", "do_sample",
            // Searches with beams alone read them.
            "diversity_penalty", "early_stopping", "length_penalty",
            // Neither the likeliest token nor the odds of tokens change when scores are normalized once more.
            "renormalize_logits",
        ],
        refused: [
            "num_beams": [1]
        ])

    /// What `run` refuses where it draws tokens: the model's authors keep unlikely ones out.
    package static let sampling: SettingRules = SettingRules().adding(
        refused: [
            "epsilon_cutoff": [0], "eta_cutoff": [0],
            "min_p": [0], "top_h": [], "top_k": [0],
            "top_p": [1], "typical_p": [1],
        ])

    package static let tokenizer: SettingRules = SettingRules.tokenizer.adding(
        harmless: [
            // tokenizer.json says what is put before a text, and bytes that are no text are always U+FFFD.
            "errors", "is_split_into_words", "legacy", "use_default_system_prompt",
        ])
}
