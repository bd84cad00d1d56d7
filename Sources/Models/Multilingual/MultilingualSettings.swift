/// What M2M100, NLLB and mBART-50 do with every key of their files.
///
/// - Source: `M2M100Config`, `MBartConfig`, `GenerationConfig`, `M2M100Tokenizer`, `NllbTokenizer` and
///   `MBart50Tokenizer` of Hugging Face transformers 5.24; the switches of config.json that only older files
///   have are fairseq's, which the reference does not read.
package enum MultilingualSettings {
    private static let shared: SettingRules = SettingRules.model.adding(
        read: [
            "activation_function", "d_model", "decoder_attention_heads", "decoder_ffn_dim", "decoder_layers",
            "decoder_start_token_id", "encoder_attention_heads", "encoder_ffn_dim", "encoder_layers",
            "eos_token_id", "pad_token_id", "scale_embedding", "tie_word_embeddings",
        ],
        harmless: [
            "activation_dropout", "attention_dropout", "bos_token_id", "decoder_layerdrop", "dropout",
            "encoder_layerdrop", "init_std",
        ],
        refused: [
            "is_decoder": [false], "is_encoder_decoder": [true], "add_bias_logits": [false],
            "add_final_layer_norm": [true], "normalize_before": [true],
        ])

    package static let m2m100: SettingRules = shared.adding(
        refused: ["normalize_embedding": [false], "static_position_embeddings": [true]])

    package static let mBart: SettingRules = shared.adding(
        read: ["forced_eos_token_id"], harmless: ["classifier_dropout"],
        refused: ["normalize_embedding": [true], "static_position_embeddings": [false]])

    package static let generation: SettingRules = MarianSettings.generation.adding(
        read: ["forced_bos_token_id"])

    package static let tokenizer: SettingRules = SettingRules.tokenizer.adding(
        read: [
            "clean_up_tokenization_spaces", "language_codes", "legacy_behaviour", "sp_model_kwargs",
            "src_lang", "tgt_lang",
        ],
        harmless: [
            // The pieces and the languages are those of the model's own files.
            "additional_special_tokens", "extra_special_tokens", "num_madeup_words", "spm_file",
            "token_type_ids_include_special_tokens", "token_type_ids_pattern", "_spm_precompiled_charsmap",
        ])
}
