import Foundation

/// The tokenizer of T5: the pieces of spiece.model under their own numbers, behind them `extra_ids` sentinels
/// `<extra_id_0>`..., the first of which has the largest number; `</s>` ends every text.
///
/// - Source: `T5Tokenizer` of Hugging Face transformers 5.24; ids and texts are equal on the stored goldens.
package struct T5Tokenizer: TranslationTokenizer {
    private let pieces: PieceTokenizer
    private let endID: Int

    /// The number of ids, those of sentinels included.
    package var vocabularySize: Int { pieces.vocabulary.count }

    /// Reads spiece.model and, where it is there, tokenizer_config.json.
    ///
    /// - Throws: `TokenizerError` where a file is missing or wrong, or asks for something unsupported.
    package init(directory: URL) throws(TokenizerError) {
        let file = directory.appending(path: "spiece.model")
        var sentinels = 100
        var cleansUpSpaces = false
        if let config = try JSONReader.readIfPresent(directory.appending(path: "tokenizer_config.json")) {
            if let name = try config.optional("tokenizer_class"),
                !["T5Tokenizer", "T5TokenizerFast"].contains(try name.string())
            {
                throw name.unexpected("T5Tokenizer")
            }
            if let count = try config.optional("extra_ids") {
                sentinels = try count.integer()
                guard (0...1 << 16).contains(sentinels) else { throw count.unexpected("0 to 65536") }
            }
            cleansUpSpaces = try config.bool("clean_up_tokenization_spaces", default: false)
            try config.checkSpecialTokens([
                "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
            ])
        }
        let model = try SentencePieceModel(file: file)
        let own = try SentencePieceFile.pieces(try TokenizerError.read(file), file)
        let names = (0..<sentinels).reversed().map { "<extra_id_\($0)>" }
        let vocabulary = try Vocabulary(tokens: own + names.map { Array($0.utf8) }, file: file.path)
        var special: [AddedToken] = []
        for token in ["<pad>", "</s>", "<unk>"] + names {
            special.append(
                AddedToken(
                    content: Array(token.utf8), id: try vocabulary.requiredID(of: token, file: file.path)))
        }
        _ = try AddedToken.listed(in: directory, vocabulary)
        endID = try vocabulary.requiredID(of: "</s>", file: file.path)
        pieces = PieceTokenizer(
            model, vocabulary, special: special,
            unknownID: try vocabulary.requiredID(of: "<unk>", file: file.path), .separates,
            cleansUpSpaces: cleansUpSpaces)
    }

    /// The ids of a text, `</s>` at the end.
    package func encodeSource(_ text: String) -> [Int] { pieces.encode(text) + [endID] }

    /// The same as `encodeSource`.
    package func encodeTarget(_ text: String) throws(TokenizerError) -> [Int] { encodeSource(text) }

    /// The text of ids without special tokens.
    package func decode(_ ids: [Int]) -> String { pieces.decode(ids) }
}
