import Foundation

/// The tokenizer of a model that translates between many languages: M2M100, NLLB or mBART-50.
///
/// The code of a text's language is a token before it, with NLLB's older models behind it; `</s>` ends the
/// text.
/// - Source: `M2M100Tokenizer`, `NllbTokenizer` and `MBart50Tokenizer` of Hugging Face transformers 5.24; ids
///   and texts are equal on the stored goldens.
package struct MultilingualTokenizer: TranslationTokenizer {
    /// Whose files they are.
    package enum Kind: String, Sendable, CaseIterable {
        case m2m100 = "M2M100Tokenizer"
        case nllb = "NllbTokenizer"
        case mBart50 = "MBart50Tokenizer"
    }

    private let pieces: PieceTokenizer
    private let file: String
    /// Ids by the language's code.
    private let languages: [String: Int]
    private let codes: [String]
    private let endID: Int
    /// Whether the language stands behind the text and its end.
    private let endsWithLanguage: Bool
    private let sourceID: Int
    /// What sources and targets are written in.
    package let chosen: TranslationLanguages
    /// The first token of targets; nil where no target language is known.
    package let targetID: Int?

    /// The number of ids.
    package var vocabularySize: Int { pieces.vocabulary.count }

    /// Reads sentencepiece.bpe.model, M2M100's vocab.json, tokenizer_config.json and, where older directories
    /// have it, special_tokens_map.json.
    ///
    /// - Parameter kinds: what may be read; the first where tokenizer_config.json names no class.
    /// - Throws: `TokenizerError` where a file is missing or wrong, or asks for something unsupported.
    package init(directory: URL, _ kinds: [Kind]) throws(TokenizerError) {
        let configuration = directory.appending(path: "tokenizer_config.json")
        let options = try MultilingualOptions(directory: directory, kinds)
        let spm = directory.appending(path: "sentencepiece.bpe.model")
        let model = try SentencePieceModel(file: spm)
        let codes: [String]
        let vocabulary: Vocabulary
        func token(_ code: String) -> String { options.kind == .m2m100 ? "__\(code)__" : code }
        switch options.kind {
        case .m2m100:
            codes = options.hasCodesOfWMT21 ? LanguageCodes.wmt21 : LanguageCodes.m2m100
            let file = directory.appending(path: "vocab.json")
            let own = try Vocabulary(JSONReader.read(file))
            vocabulary = try Vocabulary(
                tokens: own.tokens + codes.map { Array(token($0).utf8) }, file: file.path)
        case .nllb, .mBart50:
            codes = options.kind == .nllb ? LanguageCodes.nllb : LanguageCodes.mBart50
            // The first three pieces are <unk>, <s> and </s>, which have other numbers here.
            let own = try SentencePieceFile.pieces(try TokenizerError.read(spm), spm).dropFirst(3)
            let first = ["<s>", "<pad>", "</s>", "<unk>"].map { Array($0.utf8) }
            vocabulary = try Vocabulary(
                tokens: first + own + (codes + ["<mask>"]).map { Array($0.utf8) }, file: spm.path)
        }
        func id(_ token: String) throws(TokenizerError) -> Int {
            try vocabulary.requiredID(of: token, file: spm.path)
        }
        var special: [AddedToken] = []
        for token in ["<s>", "<pad>", "</s>", "<unk>"] {
            special.append(AddedToken(content: Array(token.utf8), id: try id(token)))
        }
        if options.kind != .m2m100 {
            special.append(
                AddedToken(content: Array("<mask>".utf8), id: try id("<mask>"), stripsLeft: true))
        }
        var languages: [String: Int] = [:]
        for code in codes {
            languages[code] = try id(token(code))
            special.append(AddedToken(content: Array(token(code).utf8), id: try id(token(code))))
        }
        // Only to refuse a directory that numbers them otherwise.
        _ = try AddedToken.listed(in: directory, vocabulary)
        try self.init(
            PieceTokenizer(
                model, vocabulary, special: special, unknownID: try id("<unk>"),
                options.kind == .m2m100 ? .asSentencePiece : .keptAtEnd,
                cleansUpSpaces: options.cleansUpSpaces && options.kind != .nllb),
            file: configuration.path, languages, codes: codes, endID: try id("</s>"),
            endsWithLanguage: options.endsWithLanguage,
            TranslationLanguages(
                source: options.languages.source ?? options.kind.defaultSource,
                target: options.languages.target))
    }

    private init(
        _ pieces: PieceTokenizer, file: String, _ languages: [String: Int], codes: [String], endID: Int,
        endsWithLanguage: Bool, _ chosen: TranslationLanguages
    ) throws(TokenizerError) {
        func id(_ code: String?, _ side: String) throws(TokenizerError) -> Int? {
            guard let code else { return nil }
            guard let id = languages[code] else {
                let near = codes.filter { $0.prefix(2).lowercased() == code.prefix(2).lowercased() }
                let some = (near.isEmpty ? codes : near).prefix(5).joined(separator: ", ")
                throw .unexpectedValue(
                    file: file, field: side, expected: "one of \(codes.count) codes, such as \(some)",
                    got: "'\(code)'")
            }
            return id
        }
        self.pieces = pieces
        self.file = file
        self.languages = languages
        self.codes = codes
        self.endID = endID
        self.endsWithLanguage = endsWithLanguage
        self.chosen = chosen
        sourceID = try id(chosen.source, "source language") ?? endID
        targetID = try id(chosen.target, "target language")
    }

    /// The tokenizer for other languages; those that `languages` does not name stay.
    ///
    /// - Throws: `TokenizerError` for a code that the model does not know.
    package func choosing(_ languages: TranslationLanguages) throws(TokenizerError) -> MultilingualTokenizer {
        try MultilingualTokenizer(
            pieces, file: file, self.languages, codes: codes, endID: endID,
            endsWithLanguage: endsWithLanguage,
            TranslationLanguages(
                source: languages.source ?? chosen.source, target: languages.target ?? chosen.target))
    }

    /// The code of the language with this token; nil where it is none.
    package func language(of id: Int) -> String? { codes.first { languages[$0] == id } }

    /// Refuses to translate into a language that nobody named.
    package func checkTarget() throws(TokenizerError) {
        guard targetID == nil else { return }
        throw .unexpectedValue(
            file: file, field: "target language",
            expected: "one of \(codes.count) codes (--target-language, or 'tgt_lang' in this file)",
            got: "none")
    }

    private func around(_ ids: [Int], _ language: Int) -> [Int] {
        endsWithLanguage ? ids + [endID, language] : [language] + ids + [endID]
    }

    /// The ids of a text in the source language.
    package func encodeSource(_ text: String) -> [Int] { around(pieces.encode(text), sourceID) }

    /// The ids of a text in the target language.
    ///
    /// - Throws: as `checkTarget`.
    package func encodeTarget(_ text: String) throws(TokenizerError) -> [Int] {
        try checkTarget()
        return around(pieces.encode(text), targetID ?? endID)
    }

    /// The text of ids without special tokens and codes.
    package func decode(_ ids: [Int]) -> String { pieces.decode(ids) }
}

extension MultilingualTokenizer.Kind {
    /// The language of sources where nothing is said.
    var defaultSource: String {
        switch self {
        case .m2m100: "en"
        case .nllb: "eng_Latn"
        case .mBart50: "en_XX"
        }
    }
}
