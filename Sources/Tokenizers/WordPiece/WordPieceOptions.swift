import Foundation

/// What `tokenizer_config.json` says about a BERT tokenizer; nil where it does not say.
struct WordPieceOptions {
    var unknownToken = "[UNK]"
    var startToken = "[CLS]"
    var separatorToken = "[SEP]"
    var paddingToken = "[PAD]"
    var maskToken = "[MASK]"
    var extraTokens: [String] = []
    private var lowercases: Bool?
    private var stripsAccents: Bool?
    private var spacesIdeographs: Bool?

    /// Whether `tokenizer_class` is one that takes tokenizer.json as it is.
    private var takesFileAsItIs = false

    private static let classes: Set<String> = [
        "BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast",
        "ElectraTokenizer", "ElectraTokenizerFast", "MobileBertTokenizer", "MobileBertTokenizerFast",
    ]
    /// Classes of any tokenizer.json: they know no switches of a normalizer.
    private static let generalClasses: Set<String> = ["PreTrainedTokenizerFast", "TokenizersBackend"]

    init(directory: URL) throws(TokenizerError) {
        guard let config = try JSONReader.readIfPresent(directory.appending(path: "tokenizer_config.json"))
        else {
            return
        }
        if let field = try config.optional("tokenizer_class") {
            let name = try field.string()
            takesFileAsItIs = Self.generalClasses.contains(name)
            guard takesFileAsItIs || Self.classes.contains(name) else {
                throw field.unexpected("BertTokenizer")
            }
        }
        lowercases = try config.optional("do_lower_case")?.bool()
        stripsAccents = try config.optional("strip_accents")?.bool()
        spacesIdeographs = try config.optional("tokenize_chinese_chars")?.bool()
        if try !config.bool("do_basic_tokenize", default: true) {
            throw .unsupported(file: config.file, what: "do_basic_tokenize = false")
        }
        if let tokens = try config.optional("never_split"), try !tokens.elements().isEmpty {
            throw .unsupported(file: config.file, what: "never_split")
        }
        func token(_ name: String) throws(TokenizerError) -> String? {
            try config.optional(name)?.tokenContent()
        }
        unknownToken = try token("unk_token") ?? unknownToken
        startToken = try token("cls_token") ?? startToken
        separatorToken = try token("sep_token") ?? separatorToken
        paddingToken = try token("pad_token") ?? paddingToken
        maskToken = try token("mask_token") ?? maskToken
        for name in ["additional_special_tokens", "extra_special_tokens"] {
            for token in try config.optional(name)?.elements() ?? [] {
                extraTokens.append(try token.tokenContent())
            }
        }
    }

    /// `normalizer` with what the configuration says put in its place.
    func applied(to normalizer: BertNormalizer) -> BertNormalizer {
        var normalizer = normalizer
        normalizer.lowercases = lowercases ?? normalizer.lowercases
        normalizer.stripsAccents = stripsAccents ?? normalizer.stripsAccents
        normalizer.spacesIdeographs = spacesIdeographs ?? normalizer.spacesIdeographs
        return normalizer
    }

    /// The same for the normalizer of a tokenizer.json, which may be of any kind: only BERT's has these
    /// switches, and only BERT's own tokenizer classes put them in place of the file's.
    func applied(to normalizer: Normalizer) -> Normalizer {
        if takesFileAsItIs { return normalizer }
        return switch normalizer {
        case .bert(let bert): .bert(applied(to: bert))
        case .sequence(let steps): .sequence(steps.map(applied))
        case .form, .lowercase, .prepend, .replace, .characterMap: normalizer
        }
    }
}
