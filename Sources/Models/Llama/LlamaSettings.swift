/// What a language model in the Llama layout does with every key of its files.
///
/// - Source: `LlamaConfig`, `GenerationConfig` and `PreTrainedTokenizerFast` of Hugging Face transformers
///   5.24.
package enum LlamaSettings {
    package static let model: SettingRules = SettingRules.model.adding(
        read: [
            "attention_bias", "bos_token_id", "eos_token_id", "head_dim", "hidden_act", "hidden_size",
            "intermediate_size", "mlp_bias", "num_attention_heads", "num_hidden_layers",
            "num_key_value_heads",
            "rms_norm_eps", "rope_parameters", "rope_scaling", "rope_theta", "tie_word_embeddings",
        ],
        harmless: [
            "attention_dropout", "initializer_range", "pad_token_id", "pretraining_tp",
            "is_decoder",
        ],
        refused: [
            "is_encoder_decoder": [false]
        ])

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

    package static let tokenizer: SettingRules = SettingRules.tokenizer
}
