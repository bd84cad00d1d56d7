import Foundation

/// The tokenizer of a language model with byte-level BPE, from its `tokenizer.json`.
///
/// - Source: Hugging Face's tokenizers (Rust); ids and texts are equal on the stored goldens.
package struct BytePairTokenizer: Tokenizer {
    private let pipeline: TextPipeline
    private let model: BytePairModel
    private let template: SpecialTokenTemplate
    private let specialIDs: Set<Int>
    /// What every id stands for.
    private let bytes: [[UInt8]]

    /// The id of the token that `tokenizer_config.json` calls `bos_token`; nil where it calls none so.
    package let beginID: Int?
    /// The id of the token that `tokenizer_config.json` calls `eos_token`; nil where it calls none so.
    package let endID: Int?

    /// The number of ids.
    package var vocabularySize: Int { bytes.count }

    /// Reads `tokenizer.json` and, where it is there, `tokenizer_config.json`.
    ///
    /// - Throws: `TokenizerError` where a file is missing or wrong, or asks for something unsupported: a
    ///   model that is not byte-level BPE, an unknown normalizer, pre-tokenizer, split pattern,
    ///   post-processor or decoder.
    package init(directory: URL) throws(TokenizerError) {
        let path = directory.appending(path: "tokenizer.json")
        let file = try TokenizerFile(path, kind: "BPE")
        guard let preTokenizer = file.preTokenizer, preTokenizer.isByteLevel else {
            throw .unsupported(file: path.path, what: "BPE without the pre-tokenizer 'ByteLevel'")
        }
        guard let decoder = try file.decoder?.required("type").string(), decoder == "ByteLevel" else {
            throw .unsupported(file: path.path, what: "BPE without the decoder 'ByteLevel'")
        }
        model = try BytePairModel(file.model, vocabulary: file.vocabulary)
        pipeline = TextPipeline(
            added: file.addedTokens, normalizer: file.normalizer, preTokenizer: preTokenizer)
        template = file.template
        specialIDs = Set(file.addedTokens.filter(\.special).map(\.id))
        var bytes = file.vocabulary.tokens.map(ByteAlphabet.bytes)
        for token in pipeline.tokens { bytes[token.id] = ByteAlphabet.bytes(of: token.content) }
        self.bytes = bytes

        let config = try JSONReader.readIfPresent(directory.appending(path: "tokenizer_config.json"))
        func id(_ name: String) throws(TokenizerError) -> Int? {
            guard let token = try config?.optional(name)?.tokenContent() else { return nil }
            return try file.vocabulary.requiredID(of: token, file: path.path)
        }
        beginID = try id("bos_token")
        endID = try id("eos_token")
    }

    /// The ids of `text`, with the special tokens that the file's template puts around them.
    package func encode(_ text: String) -> [Int] { encode(text, addingSpecialTokens: true) }

    /// The ids of `text`, with or without the special tokens around it; those written inside the text are
    /// tokens either way.
    package func encode(_ text: String, addingSpecialTokens: Bool) -> [Int] {
        let ids = pipeline.encode(text, model: model.encode)
        return addingSpecialTokens ? template.apply(ids, nil, maximumLength: nil).ids : ids
    }

    /// The bytes of text that `id` stands for; 0 where the vocabulary does not name it.
    package func byteCount(of id: Int) -> Int { bytes.indices.contains(id) ? bytes[id].count : 0 }

    /// The text of `ids`, special tokens left out; bytes that are not UTF-8 become U+FFFD.
    package func decode(_ ids: [Int]) -> String { decode(ids, keepingSpecialTokens: false) }

    /// The text of `ids`, with or without the special tokens among them.
    package func decode(_ ids: [Int], keepingSpecialTokens: Bool) -> String {
        let shown = ids.filter {
            bytes.indices.contains($0) && (keepingSpecialTokens || !specialIDs.contains($0))
        }
        return String(decoding: shown.flatMap { bytes[$0] }, as: UTF8.self)
    }
}
