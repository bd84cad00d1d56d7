/// What T5 does with every key of its files.
///
/// - Source: `T5Config`, `GenerationConfig` and `T5Tokenizer` of Hugging Face transformers 5.24.
package enum T5Settings {
    package static let model: SettingRules = SettingRules.model.adding(
        read: [
            "d_ff", "d_kv", "d_model", "decoder_start_token_id", "eos_token_id", "feed_forward_proj",
            "layer_norm_epsilon", "num_decoder_layers", "num_heads", "num_layers", "pad_token_id",
            "relative_attention_max_distance", "relative_attention_num_buckets", "scale_decoder_outputs",
            "tie_word_embeddings",
        ],
        harmless: [
            "bos_token_id", "classifier_dropout", "dropout_rate", "initializer_factor",
            // The reference makes them of feed_forward_proj, whatever the file says; and T5 has no positions.
            "dense_act_fn", "is_gated_act", "max_position_embeddings",
        ],
        refused: ["is_decoder": [false], "is_encoder_decoder": [true]])

    package static let tokenizer: SettingRules = SettingRules.tokenizer.adding(
        read: ["clean_up_tokenization_spaces", "extra_ids"],
        harmless: [
            // The sentinels are those that extra_ids counts.
            "additional_special_tokens", "extra_special_tokens", "_spm_precompiled_charsmap",
            "token_type_ids_include_special_tokens", "token_type_ids_pattern", "legacy", "sp_model_kwargs",
        ])
}
