import Foundation

/// What `tokenizer_config.json` and `special_tokens_map.json` say about a MarianMT tokenizer.
///
/// `model_max_length` is a caller's matter: nothing is cut here. `source_lang` and `target_lang` only choose
/// a punctuation normalizer that is not used.
struct MarianOptions {
    var endToken = "</s>"
    var unknownToken = "<unk>"
    var paddingToken = "<pad>"
    /// Further special tokens, which have to be in the vocabulary.
    var extraTokens: [String] = []
    var separateVocabularies = false
    var splitsSpecialTokens = false
    var cleansUpSpaces = false

    init(directory: URL) throws(TokenizerError) {
        let config = try JSONReader.readIfPresent(directory.appending(path: "tokenizer_config.json"))
        if let config {
            if let name = try config.optional("tokenizer_class"), try name.string() != "MarianTokenizer" {
                throw name.unexpected("MarianTokenizer")
            }
            separateVocabularies = try config.bool("separate_vocabs", default: false)
            splitsSpecialTokens = try config.bool("split_special_tokens", default: false)
            cleansUpSpaces = try config.bool("clean_up_tokenization_spaces", default: false)
            if let arguments = try config.optional("sp_model_kwargs"),
                let first = try arguments.members().first
            {
                let name = String(decoding: first.key, as: UTF8.self)
                throw .unsupported(file: config.file, what: "sp_model_kwargs.\(name)")
            }
            try readTokens(config)
        }
        // The newer files list every added token in the configuration itself; only older ones need the second
        // file.
        if try config?.optional("added_tokens_decoder") == nil,
            let map = try JSONReader.readIfPresent(directory.appending(path: "special_tokens_map.json"))
        {
            try readTokens(map)
        }
    }

    private mutating func readTokens(_ field: JSONField) throws(TokenizerError) {
        if let token = try field.optional("eos_token") { endToken = try token.tokenContent() }
        if let token = try field.optional("unk_token") { unknownToken = try token.tokenContent() }
        if let token = try field.optional("pad_token") { paddingToken = try token.tokenContent() }
        for name in ["additional_special_tokens", "extra_special_tokens"] {
            guard let tokens = try field.optional(name) else { continue }
            for token in try tokens.elements() { extraTokens.append(try token.tokenContent()) }
        }
        for name in ["bos_token", "cls_token", "sep_token", "mask_token"] {
            if let token = try field.optional(name) { extraTokens.append(try token.tokenContent()) }
        }
    }
}
