import Foundation

/// The normalization that a SentencePiece model was trained with: for sequences of characters what stands in
/// their place, as `Precompiled` of a tokenizer.json holds it.
///
/// - Source: Hugging Face's spm_precompiled 0.1, whose answers differ from SentencePiece's: a character as a
///   user sees it is looked up whole where it has fewer than six bytes, else scalar by scalar, and of several
///   entries that start it the shortest counts.
struct CharacterMap: Sendable {
    private let trie: CharacterTrie

    /// Reads `precompiled_charsmap`, in Base64.
    ///
    /// - Throws: `TokenizerError` where the map is none, or would be read outside of its bounds.
    init(_ field: JSONField) throws(TokenizerError) {
        let text = try field.required("precompiled_charsmap")
        guard let data = Data(base64Encoded: try text.string()),
            let trie = CharacterTrie(map: [UInt8](data)[...]), trie.isSound
        else { throw .malformed(file: text.file, offset: nil, reason: "\(text.path): damaged character map") }
        self.trie = trie
    }

    func normalize(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: text)
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(text.count)
        for character in String(view) {
            let scalars = character.unicodeScalars
            let bytes = Array(character.utf8)
            if bytes.count < 6, let replacement = replacement(of: bytes) {
                result += replacement
                continue
            }
            for scalar in scalars {
                if let replacement = replacement(of: [scalar].utf8) {
                    result += replacement
                } else {
                    result.append(scalar)
                }
            }
        }
        return result
    }

    private func replacement(of bytes: [UInt8]) -> [Unicode.Scalar]? {
        trie.firstMatch(in: bytes).map { Array(String(decoding: $0, as: UTF8.self).unicodeScalars) }
    }
}
