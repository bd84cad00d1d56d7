import Foundation

/// What tokenizer_config.json and special_tokens_map.json say about a multilingual tokenizer.
struct MultilingualOptions {
    let kind: MultilingualTokenizer.Kind
    private(set) var languages = TranslationLanguages()
    /// `language_codes` is `wmt21`.
    private(set) var hasCodesOfWMT21 = false
    /// `legacy_behaviour` of NLLB.
    private(set) var endsWithLanguage = false
    private(set) var cleansUpSpaces = false

    /// Reads the files; the first of `kinds` where no class is named.
    ///
    /// - Throws: `TokenizerError` where a file is wrong, or asks for another tokenizer or other special
    ///   tokens.
    init(directory: URL, _ kinds: [MultilingualTokenizer.Kind]) throws(TokenizerError) {
        let config = try JSONReader.readIfPresent(directory.appending(path: "tokenizer_config.json"))
        var kind = kinds[0]
        if let field = try config?.optional("tokenizer_class") {
            let name = try field.string()
            let known = kinds.first { [$0.rawValue, $0.rawValue + "Fast"].contains(name) }
            guard let known else {
                throw field.unexpected(kinds.map(\.rawValue).joined(separator: " or "))
            }
            kind = known
        } else if kinds.count > 1 {
            // Only M2M100 has a vocabulary beside its pieces.
            let file = directory.appending(path: "vocab.json")
            kind = FileManager.default.fileExists(atPath: file.path) ? .m2m100 : .nllb
        }
        self.kind = kind
        if let config {
            languages.source = try config.optional("src_lang")?.string()
            languages.target = try config.optional("tgt_lang")?.string()
            cleansUpSpaces = try config.bool("clean_up_tokenization_spaces", default: false)
            if kind == .nllb { endsWithLanguage = try config.bool("legacy_behaviour", default: false) }
            if kind == .m2m100, let codes = try config.optional("language_codes") {
                guard ["m2m100", "wmt21"].contains(try codes.string()) else {
                    throw codes.unexpected("m2m100 or wmt21")
                }
                hasCodesOfWMT21 = try codes.string() == "wmt21"
            }
            if let arguments = try config.optional("sp_model_kwargs"),
                let first = try arguments.members().first
            {
                let name = String(decoding: first.key, as: UTF8.self)
                throw .unsupported(file: config.file, what: "sp_model_kwargs.\(name)")
            }
            try Self.checkTokens(config)
        }
        if let map = try JSONReader.readIfPresent(directory.appending(path: "special_tokens_map.json")) {
            try Self.checkTokens(map)
        }
    }

    private static func checkTokens(_ field: JSONField) throws(TokenizerError) {
        try field.checkSpecialTokens([
            "bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>",
            "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>",
        ])
    }
}

extension JSONField {
    /// Refuses special tokens that are called otherwise than in all published models; by key, what they are
    /// called.
    func checkSpecialTokens(_ tokens: [String: String]) throws(TokenizerError) {
        for (key, token) in tokens.sorted(by: { $0.key < $1.key }) {
            guard var content = try optional(key) else { continue }
            if case .object = content.value { content = try content.required("content") }
            guard try content.string() == token else { throw content.unexpected("'\(token)'") }
        }
    }
}
