/// What MarianMT does with every key of its files.
///
/// - Source: `MarianConfig`, `GenerationConfig` and `MarianTokenizer` of Hugging Face transformers 5.24; the
///   switches of config.json that only converted models have are those of its converter.
package enum MarianSettings {
    package static let model: SettingRules = SettingRules.model.adding(
        read: [
            "activation_function", "d_model", "decoder_attention_heads", "decoder_ffn_dim", "decoder_layers",
            "decoder_start_token_id", "decoder_vocab_size", "encoder_attention_heads", "encoder_ffn_dim",
            "encoder_layers", "eos_token_id", "forced_eos_token_id", "pad_token_id", "scale_embedding",
            "share_encoder_decoder_embeddings", "tie_word_embeddings",
        ],
        harmless: [
            "activation_dropout", "attention_dropout", "bos_token_id", "decoder_layerdrop", "dropout",
            "encoder_layerdrop", "init_std",
        ],
        refused: [
            "is_decoder": [false], "is_encoder_decoder": [true],
            // What converted models say of the network that they were. The reference has no such keys and is
            // post-norm, whatever they say: a network that was another gives other answers there.
            "static_position_embeddings": [true],
            "normalize_before": [false], "normalize_embedding": [false],
            "add_final_layer_norm": [false], "add_bias_logits": [false],
        ])

    package static let generation: SettingRules = SettingRules.generation.adding(
        read: [
            "bad_words_ids", "decoder_start_token_id", "early_stopping", "eos_token_id",
            "forced_eos_token_id",
            "length_penalty", "max_length", "max_new_tokens", "num_beams", "pad_token_id",
            "renormalize_logits",
        ],
        harmless: [
            "bos_token_id"
        ],
        refused: [
            "do_sample": [false]
        ])

    package static let tokenizer: SettingRules = SettingRules.tokenizer.adding(
        read: [
            "clean_up_tokenization_spaces", "separate_vocabs", "sp_model_kwargs", "split_special_tokens",
        ],
        harmless: [
            "source_lang", "source_spm", "target_lang", "target_spm", "target_vocab_file",
            "token_type_ids_include_special_tokens", "token_type_ids_pattern",
        ])
}
