import BitplanModels
import BitplanTensors
import BitplanTokenizers
import Foundation
import TestSupport
import Testing

/// Every way a directory of an encoder-decoder can be wrong gives one line that says what and where.
@Suite struct BadEncoderDecoderTests {
    /// The error of a copy of a golden after `change`.
    private func failure(_ name: String, _ change: (URL) throws -> Void) throws -> String {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.copyItem(at: EncoderDecoderModel.directory(name), to: directory)
        try change(directory)
        func open<F: ModelFamily>(_ family: F.Type) throws {
            let model = try Model<F>(directory: directory)
            _ = try model.network()
        }
        let error = #expect(throws: (any Error).self) { try open(EncoderDecoderModel.family(name)) }
        let text = error.map { "\($0)" } ?? ""
        #expect(error is FileError || error is TokenizerError, "\(text)")
        #expect(!text.contains(where: \.isNewline) && text.contains(directory.lastPathComponent), "\(text)")
        return text
    }

    private func edit(_ directory: URL, _ file: String, _ changes: [String: Any]) throws {
        let url = directory.appending(path: file)
        let settings = try FileError.readObject(url).merging(changes) { $1 }
        try JSONSerialization.data(withJSONObject: settings).write(to: url)
    }

    private func edit(_ directory: URL, _ file: String, json: String) throws {
        let changes = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        try edit(directory, file, try #require(changes))
    }

    @Test(arguments: [
        ("tiny-m2m100", "config.json"), ("tiny-m2m100", "model.safetensors"), ("tiny-m2m100", "vocab.json"),
        ("tiny-nllb", "sentencepiece.bpe.model"), ("tiny-mbart50", "sentencepiece.bpe.model"),
        ("tiny-t5", "spiece.model"), ("tiny-t5", "model.safetensors"),
        ("marian-separate", "target_vocab.json"),
        ("marian-separate", "target.spm"),
    ])
    func missingAndTruncatedFiles(_ name: String, _ file: String) throws {
        _ = try failure(name) { try FileManager.default.removeItem(at: $0.appending(path: file)) }
        let text = try failure(name) {
            let url = $0.appending(path: file)
            let data = try Data(contentsOf: url)
            try data.prefix(data.count / 2).write(to: url)
        }
        #expect(text.contains(file), "\(text)")
    }

    /// Settings and what is said of them.
    @Test(arguments: [
        // Marian.
        (
            "marian-separate", #"{"share_encoder_decoder_embeddings": true}"#,
            "decoder_vocab_size 40 differs from vocab_size"
        ),
        (
            "marian-separate", #"{"decoder_vocab_size": 20}"#,
            "target_vocab.json: has 39 tokens, config.json says decoder_vocab_size 20"
        ),
        (
            "marian-separate", #"{"vocab_size": 20}"#,
            "vocab.json: has 32 tokens, config.json says vocab_size 20"
        ),
        ("marian-separate", #"{"tie_word_embeddings": false}"#, "has no tensor 'lm_head.weight'"),
        (
            "marian-separate", #"{"normalize_before": true}"#,
            "'normalize_before': true is not supported: expected false"
        ),
        (
            "marian-separate", #"{"add_final_layer_norm": true}"#,
            "'add_final_layer_norm': true is not supported"
        ),
        (
            "marian-separate", #"{"decoder_ffn_dim": 35}"#,
            "fc1.weight': expected shape [35, 24], got [36, 24]"
        ),
        // M2M100 and NLLB.
        ("tiny-m2m100", #"{"d_model": 36}"#, "model.shared.weight': expected shape [189, 36], got [189, 24]"),
        ("tiny-m2m100", #"{"d_model": 21}"#, "d_model 21 is not a multiple of encoder_attention_heads 4"),
        (
            "tiny-m2m100", #"{"d_model": 3, "encoder_attention_heads": 1}"#,
            "'d_model': expected a multiple of 2 from 4 on, got 3"
        ),
        (
            "tiny-m2m100", #"{"vocab_size": 100}"#,
            "tokens with the languages' codes, config.json says vocab_size 100"
        ),
        ("tiny-m2m100", #"{"tie_word_embeddings": false, "vocab_size": 1000}"#, "expected shape [1000, 24]"),
        (
            "tiny-m2m100", #"{"normalize_before": false}"#,
            "'normalize_before': false is not supported: expected true"
        ),
        (
            "tiny-m2m100", #"{"architectures": ["M2M100Model"]}"#,
            "architecture 'M2M100Model' is not supported"
        ),
        (
            "tiny-m2m100", #"{"model_type": "bart"}"#,
            "model_type 'bart' is not supported here: expected 'm2m_100'"
        ),
        ("tiny-nllb", #"{"activation_function": "sinus"}"#, "activation_function 'sinus' is not supported"),
        // mBART-50.
        ("tiny-mbart50", #"{"normalize_embedding": false}"#, "'normalize_embedding': false is not supported"),
        ("tiny-mbart50", #"{"static_position_embeddings": true}"#, "'static_position_embeddings': true"),
        (
            "tiny-mbart50", #"{"max_position_embeddings": 41}"#,
            "embed_positions.weight': expected shape [43, 24], got [42, 24]"
        ),
        ("tiny-mbart50", #"{"is_decoder": true}"#, "'is_decoder': true is not supported"),
        // T5.
        ("tiny-t5", #"{"d_kv": 6}"#, "SelfAttention.q.weight': expected shape [18, 24], got [15, 24]"),
        (
            "tiny-t5", #"{"feed_forward_proj": "gated-relu"}"#,
            "has no tensor 'encoder.block.0.layer.1.DenseReluDense.wi_0.weight'"
        ),
        ("tiny-t5", #"{"feed_forward_proj": "sinus"}"#, "'feed_forward_proj': 'sinus' is not supported"),
        (
            "tiny-t5", #"{"relative_attention_num_buckets": 12}"#,
            "relative_attention_bias.weight': expected shape [36], got [8, 3]"
        ),
        ("tiny-t5", #"{"relative_attention_num_buckets": 7}"#, "expected a multiple of 4 up to 4096, got 7"),
        ("tiny-t5", #"{"relative_attention_max_distance": 4}"#, "expected more than 4, half of the buckets"),
        ("tiny-t5", #"{"num_decoder_layers": 3}"#, "has no tensor 'decoder.block.2"),
        ("tiny-t5", #"{"tie_word_embeddings": false}"#, "has no tensor 'lm_head.weight'"),
        ("tiny-t5", #"{"vocab_size": 30}"#, "tokens with the sentinels, config.json says vocab_size 30"),
        (
            "tiny-t5", #"{"architectures": ["T5EncoderModel"]}"#,
            "architecture 'T5EncoderModel' is not supported"
        ),
    ])
    func settingsThatDoNotFit(_ name: String, _ changes: String, _ message: String) throws {
        let text = try failure(name) { try edit($0, "config.json", json: changes) }
        #expect(text.contains(message), "\(text)")
    }

    @Test(arguments: [
        (
            "tiny-m2m100", "generation_config.json", #"{"forced_bos_token_id": 5000}"#,
            "outside the vocabulary of"
        ),
        ("tiny-m2m100", "generation_config.json", #"{"repetition_penalty": 2}"#, "'repetition_penalty': 2"),
        (
            "tiny-m2m100", "tokenizer_config.json", #"{"tgt_lang": "xx"}"#,
            "target language: expected one of 100"
        ),
        (
            "tiny-m2m100", "tokenizer_config.json", #"{"split_special_tokens": true}"#,
            "'split_special_tokens'"
        ),
        (
            "tiny-t5", "generation_config.json", #"{"forced_bos_token_id": 5}"#,
            "'forced_bos_token_id': 5 is not"
        ),
        (
            "marian-separate", "generation_config.json", #"{"forced_bos_token_id": 5}"#,
            "'forced_bos_token_id': 5"
        ),
    ])
    func otherSettings(
        _ name: String, _ file: String, _ changes: String, _ message: String
    ) throws {
        let text = try failure(name) { try edit($0, file, json: changes) }
        #expect(text.contains(message), "\(text)")
    }

    /// The first token of the generation settings is the target language where nothing else says one.
    @Test func firstTokenThatIsNoLanguage() throws {
        let text = try failure("tiny-m2m100") {
            try edit($0, "tokenizer_config.json", ["tgt_lang": NSNull()])
            try edit($0, "generation_config.json", ["forced_bos_token_id": 5])
        }
        #expect(text.contains("'forced_bos_token_id': expected the token of a language, got 5"), "\(text)")
    }
}
