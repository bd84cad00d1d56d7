/// What BERT and its kin do with every key of their files.
///
/// - Source: `BertConfig`, `RobertaConfig`, `ElectraConfig`, `DistilBertConfig` and the tokenizers' classes
///   of Hugging Face transformers 5.24; `Transformer`, `Pooling`, `Normalize` and `SentenceTransformer` of
///   sentence-transformers 6.2.
package enum BertSettings {
    /// Keys that all of them have.
    private static let encoder: SettingRules = SettingRules.model.adding(
        read: [
            "id2label", "num_labels", "problem_type",
        ],
        harmless: [
            "bos_token_id", "eos_token_id", "initializer_range", "pad_token_id", "tie_word_embeddings",
        ],
        refused: [
            "is_encoder_decoder": [false]
        ])

    package static let model: SettingRules = encoder.adding(
        read: [
            "hidden_act", "hidden_size", "intermediate_size", "layer_norm_eps", "num_attention_heads",
            "num_hidden_layers", "type_vocab_size",
        ],
        harmless: [
            "attention_probs_dropout_prob", "classifier_dropout", "hidden_dropout_prob",
        ],
        refused: [
            "add_cross_attention": [false], "is_decoder": [false],
            "position_embedding_type": ["absolute"],
        ])

    package static let roberta: SettingRules = model.adding(read: ["pad_token_id"])

    /// `summary_*` are read by models of multiple choice alone.
    package static let electra: SettingRules = model.adding(
        read: ["embedding_size"],
        harmless: [
            "summary_activation", "summary_last_dropout", "summary_type", "summary_use_proj",
        ])

    /// Sinusoids, where a model has them, are its stored positions.
    package static let distilbert: SettingRules = encoder.adding(
        read: ["activation", "dim", "hidden_dim", "n_heads", "n_layers"],
        harmless: [
            "attention_dropout", "dropout", "qa_dropout", "seq_classif_dropout", "sinusoidal_pos_embds",
        ])

    package static let tokenizer: SettingRules = SettingRules.tokenizer.adding(
        read: [
            "do_basic_tokenize", "do_lower_case", "model_max_length", "never_split", "strip_accents",
            "tokenize_chinese_chars",
        ],
        harmless: [
            // tokenizer.json says what is put before a text; offsets are not asked for.
            "errors", "trim_offsets",
        ],
        refused: [
            "truncation_side": ["right"]
        ])

    /// sentence_bert_config.json.
    package static let transformer: SettingRules = SettingRules().adding(
        read: [
            "do_lower_case", "max_seq_length", "modality_config",
        ],
        harmless: [
            "backend", "cache_dir", "config_kwargs", "model_kwargs", "processor_kwargs", "unpad_inputs",
        ],
        refused: [
            "document_length": [], "module_output_name": ["token_embeddings"],
            "processing_kwargs": [], "query_expansion": [], "query_length": [],
            "tokenizer_name_or_path": [],
            "transformer_task": ["feature-extraction"],
        ])

    /// 1_Pooling/config.json. `include_prompt` says which tokens of a prompt count: no input has one.
    package static let pooling: SettingRules = SettingRules().adding(
        read: [
            "pooling_mode", "pooling_mode_cls_token", "pooling_mode_lasttoken", "pooling_mode_max_tokens",
            "pooling_mode_mean_sqrt_len_tokens", "pooling_mode_mean_tokens",
            "pooling_mode_weightedmean_tokens",
        ],
        harmless: [
            "embedding_dimension", "include_prompt", "word_embedding_dimension",
        ])

    /// 2_Normalize/config.json.
    package static let normalize: SettingRules = SettingRules().adding(
        refused: [
            "module_input_name": ["sentence_embedding"],
            "module_output_name": ["sentence_embedding"],
        ])

    /// config_sentence_transformers.json.
    package static let sentenceEncoder: SettingRules = SettingRules().adding(
        harmless: [
            "__version__", "prompts",
        ],
        refused: [
            // A text that would stand before every input.
            "default_prompt_name": [],
            "model_type": ["SentenceTransformer"],
            "similarity_fn_name": ["cosine"], "truncate_dim": [],
        ])
}
