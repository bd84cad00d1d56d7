import Foundation

/// The tokenizer of a `tokenizer.json` whose model is BPE, over bytes or characters, or Unigram.
///
/// - Source: Hugging Face's tokenizers (Rust); ids and texts are equal on the stored goldens.
package struct SubwordTokenizer: EncoderTokenizer {
    private enum Model: Sendable {
        case bytePair(BytePairModel)
        case unigram(UnigramModel)
    }

    private let pipeline: TextPipeline
    private let model: Model
    private let template: SpecialTokenTemplate
    private let decoder: TokenDecoder
    private let specialIDs: Set<Int>
    /// What every id is written as.
    private let tokens: [[UInt8]]
    /// How many bytes of text every id stands for.
    private let byteCounts: [Int]

    /// The id of the token that `tokenizer_config.json` calls `bos_token`; nil where it calls none so.
    package let beginID: Int?
    /// The id of the token that `tokenizer_config.json` calls `eos_token`; nil where it calls none so.
    package let endID: Int?

    /// The number of ids.
    package var vocabularySize: Int { tokens.count }

    /// Reads `tokenizer.json` and, where it is there, `tokenizer_config.json`.
    ///
    /// - Throws: `TokenizerError` where a file is missing or wrong, or asks for something unsupported:
    ///   another model, an unknown normalizer, pre-tokenizer, split pattern, post-processor or decoder.
    package init(directory: URL) throws(TokenizerError) {
        let path = directory.appending(path: "tokenizer.json")
        try self.init(try TokenizerFile(path, kinds: Self.kinds), path, directory: directory)
    }

    /// The kinds of models that it runs.
    static let kinds = ["BPE", "Unigram"]

    /// A tokenizer of a file that has been read; errors as `init(directory:)`.
    init(_ file: TokenizerFile, _ path: URL, directory: URL) throws(TokenizerError) {
        let isByteLevel = file.preTokenizer?.isByteLevel ?? false
        guard let field = file.decoder else { throw .missingField(file: path.path, field: "decoder") }
        decoder = try TokenDecoder(field)
        guard decoder.isByteLevel == isByteLevel else {
            throw .unsupported(
                file: path.path,
                what: isByteLevel
                    ? "the pre-tokenizer 'ByteLevel' without the decoder 'ByteLevel'"
                    : "the decoder 'ByteLevel' without the pre-tokenizer 'ByteLevel'")
        }
        if file.kind == "BPE" {
            model = .bytePair(
                try BytePairModel(file.model, vocabulary: file.vocabulary, isByteLevel: isByteLevel))
        } else if isByteLevel {
            throw .unsupported(file: path.path, what: "Unigram behind the pre-tokenizer 'ByteLevel'")
        } else {
            model = .unigram(try UnigramModel(file.model, vocabulary: file.vocabulary))
        }
        pipeline = TextPipeline(
            added: file.addedTokens, normalizer: file.normalizer, preTokenizer: file.preTokenizer)
        template = file.template
        specialIDs = Set(file.addedTokens.filter(\.special).map(\.id))
        var tokens = file.vocabulary.tokens
        for token in pipeline.tokens { tokens[token.id] = token.content }
        self.tokens = tokens
        let decoder = decoder
        byteCounts = tokens.map { decoder.bytes(of: $0).count }

        let config = try JSONReader.readIfPresent(directory.appending(path: "tokenizer_config.json"))
        func id(_ name: String) throws(TokenizerError) -> Int? {
            guard let token = try config?.optional(name)?.tokenContent() else { return nil }
            return try file.vocabulary.requiredID(of: token, file: path.path)
        }
        beginID = try id("bos_token")
        endID = try id("eos_token")
    }

    /// Every id has its token in the file.
    package var idsAreLines: Bool { false }

    /// The special tokens that stand around one text or a pair, and the largest type of any token.
    package func frame(ofPair isPair: Bool) -> (specialTokens: Int, largestType: Int) {
        template.frame(ofPair: isPair)
    }

    /// The ids of `text`, with the special tokens that the file's template puts around them.
    package func encode(_ text: String) -> [Int] { encode(text, addingSpecialTokens: true) }

    /// The ids of `text`, with or without the special tokens around it; those written inside the text are
    /// tokens either way.
    package func encode(_ text: String, addingSpecialTokens: Bool) -> [Int] {
        let ids = pieces(text)
        return addingSpecialTokens ? template.apply(ids, nil, maximumLength: nil).ids : ids
    }

    /// The ids and type ids of one text or of a pair; errors and lengths as `EncoderTokenizer.encode`.
    package func encode(
        _ first: String, pairedWith second: String?, maximumLength: Int?
    ) -> TokenSequence {
        template.apply(pieces(first), second.map(pieces), maximumLength: maximumLength)
    }

    private func pieces(_ text: String) -> [Int] {
        switch model {
        case .bytePair(let model): pipeline.encode(text, model: model.encode)
        case .unigram(let model): pipeline.encode(text, model: model.encode)
        }
    }

    /// The bytes of text that `id` stands for; 0 where the vocabulary does not name it.
    package func byteCount(of id: Int) -> Int { byteCounts.indices.contains(id) ? byteCounts[id] : 0 }

    /// The bytes of `text` that each of its ids, without special tokens around them, stands for: a space that
    /// the tokenizer puts before a text is none of them.
    package func byteCounts(of ids: [Int], in text: String) -> [Int] {
        var counts = ids.map(byteCount)
        if let first = counts.first, first > 0, counts.reduce(0, +) == text.utf8.count + 1 {
            counts[0] = first - 1
        }
        return counts
    }

    /// The text of `ids`, special tokens left out; bytes that are not UTF-8 become U+FFFD.
    package func decode(_ ids: [Int]) -> String { decode(ids, keepingSpecialTokens: false) }

    /// The text of `ids`, with or without the special tokens among them.
    package func decode(_ ids: [Int], keepingSpecialTokens: Bool) -> String {
        let shown = ids.filter {
            tokens.indices.contains($0) && (keepingSpecialTokens || !specialIDs.contains($0))
        }
        return String(decoding: decoder.text(of: shown.map { tokens[$0] }), as: UTF8.self)
    }
}
