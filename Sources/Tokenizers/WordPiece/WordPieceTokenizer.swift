import Foundation

/// The tokenizer of a BERT model: cleaning, words and punctuation, WordPiece, `[CLS]` and `[SEP]` around.
///
/// - Source: `BertTokenizer` of Hugging Face transformers (the one over the Rust library); ids are equal on
///   the stored goldens.
package struct WordPieceTokenizer: EncoderTokenizer {
    private let pipeline: TextPipeline
    private let model: WordPiece
    private let template: SpecialTokenTemplate
    private let specialIDs: Set<Int>
    private let cleansUpSpaces: Bool
    /// What every id is written as.
    private let tokens: [[UInt8]]

    /// The id of `[PAD]`; nil where the vocabulary has none.
    package let paddingID: Int?
    /// The id of `[UNK]`, which stands for every word that cannot be put together from pieces.
    package var unknownID: Int { model.unknownID }

    /// The number of ids.
    package var vocabularySize: Int { model.vocabulary.count }
    /// Whether an id is the number of a line, as in vocab.txt: a line that is missing shifts the ids behind
    /// it, and nothing in the file tells so. A tokenizer.json says every id.
    package let idsAreLines: Bool

    /// The special tokens that stand around one text or a pair, and the largest type of any token.
    package func frame(ofPair isPair: Bool) -> (specialTokens: Int, largestType: Int) {
        template.frame(ofPair: isPair)
    }

    /// Reads `tokenizer.json`, or `vocab.txt` where that is not there, and `tokenizer_config.json`, whose
    /// `do_lower_case`, `strip_accents` and `tokenize_chinese_chars` come before the other file's unless
    /// `tokenizer_class` is `PreTrainedTokenizerFast` or `TokenizersBackend`.
    ///
    /// - Throws: `TokenizerError` where a file is missing or wrong, or asks for something unsupported.
    package init(directory: URL) throws(TokenizerError) {
        let options = try WordPieceOptions(directory: directory)
        let file = directory.appending(path: "tokenizer.json")
        if FileManager.default.fileExists(atPath: file.path) {
            try self.init(TokenizerFile(file, kinds: [Self.kind]), options, path: file.path)
        } else {
            try self.init(wordsOf: directory, options)
        }
    }

    private init(wordsOf directory: URL, _ options: WordPieceOptions) throws(TokenizerError) {
        let file = directory.appending(path: "vocab.txt")
        let vocabulary = try Vocabulary(tokens: Self.lines(of: file), file: file.path)
        let unknown = try vocabulary.requiredID(of: options.unknownToken, file: file.path)
        let start = try vocabulary.requiredID(of: options.startToken, file: file.path)
        let separator = try vocabulary.requiredID(of: options.separatorToken, file: file.path)
        var added = [unknown, start, separator].map { AddedToken(content: Array(vocabulary[$0]), id: $0) }
        for token in [options.paddingToken, options.maskToken] {
            // A model that never masks or pads may have left them out.
            if let id = vocabulary.id(of: token) {
                added.append(AddedToken(content: Array(vocabulary[id]), id: id))
            }
        }
        for token in options.extraTokens {
            let id = try vocabulary.requiredID(of: token, file: file.path)
            added.append(AddedToken(content: Array(vocabulary[id]), id: id))
        }
        let known = Set(added.map(\.id))
        added += try AddedToken.listed(in: directory, vocabulary).filter { !known.contains($0.id) }
        model = WordPiece(vocabulary: vocabulary, unknownID: unknown)
        template = .bert(start: start, separator: separator)
        pipeline = TextPipeline(
            added: added, normalizer: .bert(options.applied(to: BertNormalizer())), preTokenizer: .bert)
        specialIDs = Set(added.filter(\.special).map(\.id))
        paddingID = vocabulary.id(of: options.paddingToken)
        idsAreLines = true
        cleansUpSpaces = true
        tokens = Self.tokens(vocabulary, pipeline)
    }

    /// The kind of model that it runs.
    static let kind = "WordPiece"

    /// A tokenizer of a file that has been read; errors as `init(directory:)`.
    init(_ file: TokenizerFile, _ options: WordPieceOptions, path: String) throws(TokenizerError) {
        let vocabulary = file.vocabulary
        let unknown = try file.model.optional("unk_token")?.string() ?? options.unknownToken
        model = WordPiece(
            vocabulary: vocabulary, unknownID: try vocabulary.requiredID(of: unknown, file: path),
            prefix: try file.model.optional("continuing_subword_prefix")?.bytes() ?? Array("##".utf8),
            maximumCharacters: try file.model.optional("max_input_chars_per_word")?.integer() ?? 100)
        guard let preTokenizer = file.preTokenizer else {
            throw .missingField(file: path, field: "pre_tokenizer")
        }
        guard !preTokenizer.isByteLevel else {
            throw .unsupported(file: path, what: "WordPiece behind the pre-tokenizer 'ByteLevel'")
        }
        template = file.template
        pipeline = TextPipeline(
            added: file.addedTokens, normalizer: file.normalizer.map(options.applied),
            preTokenizer: preTokenizer)
        specialIDs = Set(file.addedTokens.filter(\.special).map(\.id))
        paddingID = vocabulary.id(of: options.paddingToken)
        idsAreLines = false
        cleansUpSpaces = try file.decoder?.bool("cleanup", default: true) ?? true
        tokens = Self.tokens(vocabulary, pipeline)
    }

    private static func tokens(_ vocabulary: Vocabulary, _ pipeline: TextPipeline) -> [[UInt8]] {
        var tokens = vocabulary.tokens
        for token in pipeline.tokens { tokens[token.id] = token.content }
        return tokens
    }

    /// The lines of vocab.txt without the whitespace at their ends; the line number from 0 is the id.
    private static func lines(of file: URL) throws(TokenizerError) -> [[UInt8]] {
        let bytes = try TokenizerError.read(file)
        if let offset = JSONReader.firstInvalidUTF8(in: bytes) {
            throw .malformed(file: file.path, offset: offset, reason: "invalid UTF-8")
        }
        guard !bytes.isEmpty else {
            throw .malformed(file: file.path, offset: nil, reason: "the file is empty")
        }
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        var words: [[UInt8]] = []
        words.reserveCapacity(lines.count)
        for line in lines {
            let end = line.lastIndex {
                $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\t")
            }
            guard let end else {
                throw .malformed(
                    file: file.path, offset: nil,
                    reason: "line \(words.count + 1) is empty: expected one token a line")
            }
            words.append(Array(line[...end]))
        }
        return words
    }

    /// The ids of one text, `[CLS]` and `[SEP]` around it.
    package func encode(_ text: String) -> [Int] { encode(text, pairedWith: nil).ids }

    /// The ids and type ids of one text or of a pair.
    ///
    /// - Parameter maximumLength: where given, the longer text is cut first, then both evenly, until no more
    ///   ids than this remain; the special tokens stay whatever the length.
    package func encode(
        _ first: String, pairedWith second: String? = nil, maximumLength: Int? = nil
    ) -> TokenSequence {
        template.apply(
            pipeline.encode(first, model: model.encode),
            second.map { pipeline.encode($0, model: model.encode) }, maximumLength: maximumLength)
    }

    /// The text of `ids`, special tokens left out: pieces joined, a space between words, none before
    /// punctuation.
    package func decode(_ ids: [Int]) -> String {
        var text: [UInt8] = []
        var isFirst = true
        for id in ids where tokens.indices.contains(id) && !specialIDs.contains(id) {
            let token = tokens[id]
            var piece =
                if isFirst { token } else if token.starts(with: model.prefix) {
                    Array(token.dropFirst(model.prefix.count))
                } else { [UInt8(ascii: " ")] + token }
            if cleansUpSpaces { piece = SpaceCleaning.joinedWordPiece(piece) }
            text += piece
            isFirst = false
        }
        return String(decoding: text, as: UTF8.self)
    }
}
