extension SettingRules {
    /// What no family has of the settings of generation, and what changes no answer of any. A family adds
    /// what it reads.
    ///
    /// - Source: `GenerationConfig` of Hugging Face transformers 5.24.
    static let generation: SettingRules = SettingRules().adding(
        harmless: [
            "_from_model_config", "transformers_version", "use_cache", "cache_config", "max_cache_len",
            "prefill_chunk_size", "compile_config", "disable_compile", "continuous_batching_config",
            "low_memory",
            "output_attentions", "output_hidden_states", "output_logits", "output_scores",
            "return_dict_in_generate", "remove_invalid_values",
            // A draft that the model itself checks: the same text, sooner.
            "is_assistant", "assistant_confidence_threshold", "assistant_early_exit",
            "assistant_ensemble_weight",
            "assistant_lookbehind", "max_matching_ngram_size", "num_assistant_tokens",
            "num_assistant_tokens_schedule", "prompt_lookup_num_tokens", "speculation_type",
            "target_lookbehind",
            "use_mtp",
            // Only drawing reads them: `--temperature` decides whether tokens are drawn.
            "temperature", "top_k", "top_p", "top_h", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff",
        ],
        refused: [
            "bad_words_ids": [], "begin_suppress_tokens": [], "constraints": [],
            "cache_implementation": [
                "dynamic", "dynamic_full", "static", "offloaded", "offloaded_static", "hybrid",
                "hybrid_chunked", "sliding_window",
            ],
            "diversity_penalty": [0], "dola_layers": [],
            "encoder_no_repeat_ngram_size": [0],
            "encoder_repetition_penalty": [1],
            "exponential_decay_length_penalty": [], "force_words_ids": [],
            "forced_bos_token_id": [], "forced_eos_token_id": [],
            "guidance_scale": [1], "max_time": [],
            "min_length": [0], "min_new_tokens": [0],
            "no_repeat_ngram_size": [0], "num_beam_groups": [1],
            "num_return_sequences": [1], "penalty_alpha": [0],
            "repetition_penalty": [1], "sequence_bias": [],
            "stop_strings": [], "suppress_tokens": [],
            "token_healing": [false], "watermarking_config": [],
        ])

    /// Keys that every config.json may have.
    ///
    /// - Source: `PreTrainedConfig` of Hugging Face transformers 5.24.
    static let model: SettingRules = SettingRules().adding(
        read: [
            "architectures", "model_type", "max_position_embeddings", "vocab_size",
        ],
        harmless: [
            "_name_or_path", "chunk_size_feed_forward", "dtype", "torch_dtype", "id2label", "label2id",
            "num_labels", "output_attentions", "output_hidden_states", "problem_type", "return_dict",
            "transformers_version", "use_cache",
        ])

    /// Keys that every tokenizer_config.json may have.
    ///
    /// - Source: `PreTrainedTokenizerBase` of Hugging Face transformers 5.24.
    static let tokenizer: SettingRules = SettingRules().adding(
        read: [
            "tokenizer_class", "added_tokens_decoder", "eos_token", "unk_token", "pad_token",
            "bos_token", "cls_token", "sep_token", "mask_token", "additional_special_tokens",
            "extra_special_tokens",
        ],
        harmless: [
            "_processor_class", "processor_class", "auto_map", "backend", "chat_control_tokens",
            "chat_template",
            "device_map", "fast_tokenizer_files", "files_loaded", "init_inputs", "is_local",
            "local_files_only",
            "max_len", "max_length", "model_input_names", "model_max_length", "model_specific_special_tokens",
            "name_or_path", "pad_to_multiple_of", "pad_token_type_id", "padding_side", "response_schema",
            "response_template", "slow_tokenizer_class", "special_tokens_map_file", "stride",
            "tokenizer_file",
            "tokenizer_padding", "tokenizer_truncation", "truncation_side", "unk_id", "verbose",
            "merges", "vocab", "vocab_file",
            // tokenizer.json says what stands around a text.
            "add_bos_token", "add_eos_token", "add_prefix_space", "clean_up_tokenization_spaces",
        ],
        refused: [
            "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": [false],
            "fix_mistral_regex": [false], "gguf_file": [],
            "post_processor": [], "special_tokens_pattern": [], "split_special_tokens": [false],
        ])
}
