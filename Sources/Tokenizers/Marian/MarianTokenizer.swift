import Foundation

/// The tokenizer of a MarianMT model: two SentencePiece models that cut text into pieces, and a vocabulary
/// that numbers them.
///
/// A text becomes the ids of its pieces and `</s>`; a piece that the vocabulary does not name becomes
/// `<unk>`. A language code at the start (`>>deu<< Hello`) is one token. The special tokens `</s>`, `<unk>`
/// and `<pad>` written inside a text are those tokens. No punctuation is normalized beyond what the
/// SentencePiece models do themselves.
///
/// Segmentations of exactly equal score (runs such as "zzz" can have them) are chosen between by the
/// installed version of the SentencePiece library.
///
/// - Source: `MarianTokenizer` of Hugging Face transformers without sacremoses; ids and texts are equal on
///   the stored goldens.
package struct MarianTokenizer: Tokenizer, TranslationTokenizer {
    private let source: Side
    private let target: Side
    private let sourceModel: SentencePieceModel
    private let targetModel: DeferredModel
    /// Joins pieces into text. With one vocabulary the reference uses the source model for that, whatever the
    /// language.
    private let decodingModel: SentencePieceModel
    private let specialIDs: Set<Int>
    private let cleansUpSpaces: Bool

    /// The id of `</s>`, which ends every encoded text.
    package var endID: Int { source.endID }
    /// The id of `<unk>`, which stands for every piece that the vocabulary does not name.
    package var unknownID: Int { source.unknownID }
    /// The id of `<pad>`, which is also what MarianMT decoders start from.
    package let paddingID: Int

    /// The number of ids on the source side; with one shared vocabulary, on both sides.
    package var vocabularySize: Int { source.vocabulary.count }
    /// Whether the target has a vocabulary of its own, target_vocab.json.
    package let hasSeparateVocabularies: Bool
    /// The number of ids on the target side.
    package var targetVocabularySize: Int { target.vocabulary.count }

    /// Reads `source.spm`, `target.spm`, `vocab.json` and, where they are there, `tokenizer_config.json`,
    /// `special_tokens_map.json` and, for separate vocabularies, `target_vocab.json`.
    ///
    /// - Throws: `TokenizerError` where a file is missing or wrong, or asks for something unsupported.
    package init(directory: URL) throws(TokenizerError) {
        let options = try MarianOptions(directory: directory)
        hasSeparateVocabularies = options.separateVocabularies
        targetModel = try DeferredModel(file: directory.appending(path: "target.spm"))
        sourceModel = try SentencePieceModel(file: directory.appending(path: "source.spm"))
        let sourceFile = directory.appending(path: "vocab.json")
        let vocabulary = try Vocabulary(JSONReader.read(sourceFile))

        let endID = try vocabulary.requiredID(of: options.endToken, file: sourceFile.path)
        let unknownID = try vocabulary.requiredID(of: options.unknownToken, file: sourceFile.path)
        paddingID = try vocabulary.requiredID(of: options.paddingToken, file: sourceFile.path)
        var special = [endID, unknownID, paddingID]
        for token in options.extraTokens {
            special.append(try vocabulary.requiredID(of: token, file: sourceFile.path))
        }

        for token in try AddedToken.listed(in: directory, vocabulary) {
            // The reference's own base class, not the Rust library, would find these, by rules of its own.
            guard special.contains(token.id) || token.special, !token.singleWord, !token.stripsLeft,
                !token.stripsRight
            else {
                let name = String(decoding: token.content, as: UTF8.self)
                throw .unsupported(
                    file: directory.appending(path: "tokenizer_config.json").path,
                    what: "the added token '\(name)', which is not plain and special,")
            }
            special.append(token.id)
        }

        var targetVocabulary = vocabulary
        if options.separateVocabularies {
            let file = directory.appending(path: "target_vocab.json")
            targetVocabulary = try Vocabulary(JSONReader.read(file))
            for id in special {
                let name = String(decoding: vocabulary[id], as: UTF8.self)
                let other = try targetVocabulary.requiredID(of: name, file: file.path)
                guard other == id else {
                    throw .unexpectedValue(
                        file: file.path, field: "id of '\(name)'", expected: "\(id) as in vocab.json",
                        got: "\(other)")
                }
            }
        }

        let found = options.splitsSpecialTokens ? [] : special
        let added = AddedTokens(found.map { AddedToken(content: Array(vocabulary[$0]), id: $0) })
        func side(_ vocabulary: Vocabulary) -> Side {
            Side(vocabulary: vocabulary, added: added, unknownID: unknownID, endID: endID)
        }
        source = side(vocabulary)
        target = side(targetVocabulary)
        decodingModel = options.separateVocabularies ? try targetModel.loaded() : sourceModel
        specialIDs = Set(special)
        cleansUpSpaces = options.cleansUpSpaces
    }

    /// The ids of a text in the source language, `</s>` at the end.
    package func encodeSource(_ text: String) -> [Int] { source.encode(text, sourceModel) }

    /// The ids of a text in the target language, `</s>` at the end.
    ///
    /// - Throws: `TokenizerError` where `target.spm`, which translating does without, cannot be read any
    ///   more.
    package func encodeTarget(_ text: String) throws(TokenizerError) -> [Int] {
        target.encode(text, try targetModel.loaded())
    }

    /// The same as `encodeSource`.
    package func encode(_ text: String) -> [Int] { encodeSource(text) }

    /// The text of target ids; special tokens, `<unk>` among them, are left out.
    ///
    /// Empty where the SentencePiece library fails, which a sound model does on no pieces.
    package func decode(_ ids: [Int]) -> String {
        let vocabulary = target.vocabulary
        let shown = ids.filter { 0..<vocabulary.count ~= $0 && !specialIDs.contains($0) }
        guard let bytes = decodingModel.text(of: shown.map { Array(vocabulary[$0]) }) else { return "" }
        // Pieces that the SentencePiece model does not know come back as they are, their space mark included.
        let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
        let text = SpaceCleaning.trimmed(scalars.map { $0 == "\u{2581}" ? " " : $0 })
        return cleansUpSpaces ? SpaceCleaning.joined(text) : text
    }

    /// One language's half: its numbering.
    private struct Side: Sendable {
        let vocabulary: Vocabulary
        let added: AddedTokens
        let unknownID: Int
        let endID: Int

        func encode(_ text: String, _ model: SentencePieceModel) -> [Int] {
            var ids: [Int] = []
            for segment in added.split(ArraySlice(text.utf8)) {
                switch segment {
                case .token(let id): ids.append(id)
                case .text(var text):
                    if let code = Self.languageCode(of: text) {
                        ids.append(vocabulary.id(of: code) ?? unknownID)
                        text = text[code.endIndex...]
                    }
                    // A text that the library cannot cut is one unknown piece.
                    guard let pieces = model.pieces(of: text) else {
                        ids.append(unknownID)
                        continue
                    }
                    for piece in pieces { ids.append(vocabulary.id(of: piece[...]) ?? unknownID) }
                }
            }
            ids.append(endID)
            return ids
        }

        /// `>>`, anything, and the first `<<` behind it.
        private static func languageCode(of text: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
            guard text.starts(with: ">>".utf8) else { return nil }
            let mark = UInt8(ascii: "<")
            var position = text.startIndex
            while position + 1 < text.endIndex {
                if text[position] == mark, text[position + 1] == mark { return text[...(position + 1)] }
                position += 1
            }
            return nil
        }
    }
}
