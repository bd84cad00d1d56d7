import Foundation

/// A SentencePiece model that numbers its own pieces, as Marian's `.spm` vocabularies do: `</s>` is 0 and
/// ends every text, `<unk>` is 1; there is neither a start symbol nor padding.
///
/// What looks like a special token in a text is text.
/// - Source: Marian's `SentencePieceVocab`; ids and texts are equal on the stored goldens.
package struct SentencePieceTokenizer: Tokenizer {
    /// The id of `</s>`.
    package static let endID = 0
    /// The id of `<unk>`.
    package static let unknownID = 1

    private let model: SentencePieceModel
    private let vocabulary: Vocabulary

    /// The number of pieces.
    package var vocabularySize: Int { vocabulary.count }

    /// Reads an .spm file.
    ///
    /// - Throws: `TokenizerError` where it is none, a piece occurs twice, or its first two pieces are others.
    package init(file: URL) throws(TokenizerError) {
        model = try SentencePieceModel(file: file)
        vocabulary = try Vocabulary(
            tokens: try SentencePieceFile.pieces(try TokenizerError.read(file), file), file: file.path)
        for (id, token) in [(Self.endID, "</s>"), (Self.unknownID, "<unk>")] {
            let got = id < vocabulary.count ? String(decoding: vocabulary[id], as: UTF8.self) : "none"
            guard got == token else {
                throw .unexpectedValue(
                    file: file.path, field: "piece \(id)", expected: "'\(token)' as in Marian's vocabularies",
                    got: "'\(got)'")
            }
        }
    }

    /// The ids of a text's pieces, and `</s>`; a piece that the vocabulary does not name is `<unk>`, as is a
    /// text that the library cannot cut.
    package func encode(_ text: String) -> [Int] {
        let pieces = model.pieces(of: ArraySlice(text.utf8))
        let ids = pieces?.map { vocabulary.id(of: $0[...]) ?? Self.unknownID } ?? [Self.unknownID]
        return ids + [Self.endID]
    }

    /// The text of ids without `</s>` and `<unk>`; empty where the library fails, which a sound model does on
    /// no pieces.
    package func decode(_ ids: [Int]) -> String {
        let shown = ids.filter { $0 > Self.unknownID && $0 < vocabulary.count }
        guard let bytes = model.text(of: shown.map { Array(vocabulary[$0]) }) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The vocabularies of both sides of a Marian model, which may be one file.
package struct SentencePieceTokenizers: TranslationTokenizer {
    /// That of the source.
    package let source: SentencePieceTokenizer
    /// That of the target.
    package let target: SentencePieceTokenizer

    /// Reads the vocabularies; one where both are the same file.
    ///
    /// - Throws: as `SentencePieceTokenizer.init`.
    package init(source: URL, target: URL) throws(TokenizerError) {
        self.source = try SentencePieceTokenizer(file: source)
        self.target = source == target ? self.source : try SentencePieceTokenizer(file: target)
    }

    /// The ids of a text in the source language.
    package func encodeSource(_ text: String) -> [Int] { source.encode(text) }

    /// The ids of a text in the target language.
    package func encodeTarget(_ text: String) throws(TokenizerError) -> [Int] { target.encode(text) }

    /// The text of target ids.
    package func decode(_ ids: [Int]) -> String { target.decode(ids) }
}
