import Foundation

/// The pieces of one SentencePiece model under the numbers of a vocabulary, with special tokens inside and
/// around: the core of the tokenizers of M2M100, NLLB, mBART-50 and T5.
///
/// Special tokens that are written inside a text are those tokens; a piece that the vocabulary does not name
/// is the unknown token, as is a text that the library cannot cut.
struct PieceTokenizer: Sendable {
    /// What happens to white space before a text is cut.
    enum WhiteSpace {
        /// What SentencePiece does with it; decoded texts have none at their ends.
        case asSentencePiece
        /// White space that ends a text is one more piece, as the tokenizers library has it.
        case keptAtEnd
        /// Every white space separates words, of those too that the model's normalization does not know.
        case separates
    }

    let vocabulary: Vocabulary
    let unknownID: Int
    private let model: SentencePieceModel
    private let added: AddedTokens
    private let specialIDs: Set<Int>
    private let whiteSpace: WhiteSpace
    private let cleansUpSpaces: Bool

    /// A tokenizer of these parts.
    ///
    /// - Parameter special: the tokens that a text may name, and that no decoded text shows.
    init(
        _ model: SentencePieceModel, _ vocabulary: Vocabulary, special: [AddedToken], unknownID: Int,
        _ whiteSpace: WhiteSpace, cleansUpSpaces: Bool
    ) {
        self.model = model
        self.vocabulary = vocabulary
        self.unknownID = unknownID
        added = AddedTokens(special)
        specialIDs = Set(special.map(\.id))
        self.whiteSpace = whiteSpace
        self.cleansUpSpaces = cleansUpSpaces
    }

    /// The ids of a text, nothing around them.
    func encode(_ text: String) -> [Int] {
        added.split(ArraySlice(text.utf8)).flatMap { segment -> [Int] in
            switch segment {
            case .token(let id): return [id]
            case .text(let text):
                guard let pieces = pieces(of: text) else { return [unknownID] }
                return pieces.map { vocabulary.id(of: $0[...]) ?? unknownID }
            }
        }
    }

    /// The text of ids without special tokens; empty where the library fails, which a sound model does on no
    /// pieces.
    func decode(_ ids: [Int]) -> String {
        let shown = ids.filter { 0..<vocabulary.count ~= $0 && !specialIDs.contains($0) }
            .map { Array(vocabulary[$0]) }
        let text = whiteSpace == .asSentencePiece ? joinedBySentencePiece(shown) : joined(shown)
        return cleansUpSpaces ? SpaceCleaning.joined(text) : text
    }

    private func joinedBySentencePiece(_ pieces: [[UInt8]]) -> String {
        guard let bytes = model.text(of: pieces) else { return "" }
        return SpaceCleaning.trimmed(Array(String(decoding: bytes, as: UTF8.self).unicodeScalars))
    }

    /// The marks of spaces as spaces, but those of the first piece, as the tokenizers library has it.
    private func joined(_ pieces: [[UInt8]]) -> String {
        var text = String.UnicodeScalarView()
        for (index, piece) in pieces.enumerated() {
            for scalar in String(decoding: piece, as: UTF8.self).unicodeScalars {
                if scalar != "\u{2581}" {
                    text.append(scalar)
                } else if index > 0 {
                    text.append(" ")
                }
            }
        }
        return String(text)
    }

    private func pieces(of text: ArraySlice<UInt8>) -> [[UInt8]]? {
        switch whiteSpace {
        case .asSentencePiece: return model.pieces(of: text)
        case .separates:
            let scalars = String(decoding: text, as: UTF8.self).unicodeScalars.map { scalar in
                scalar.properties.isWhitespace ? " " : scalar
            }
            return model.pieces(of: ArraySlice(String(String.UnicodeScalarView(scalars)).utf8))
        case .keptAtEnd:
            // SentencePiece drops the white space that ends a text: a mark behind it, which no vocabulary
            // has, keeps it.
            let mark = Array("\u{10FFFF}".utf8)
            guard var pieces = model.pieces(of: text + mark), let last = pieces.last,
                last.suffix(mark.count).elementsEqual(mark)
            else { return model.pieces(of: text) }
            pieces[pieces.count - 1].removeLast(mark.count)
            if last.count == mark.count { pieces.removeLast() }
            return pieces
        }
    }
}
