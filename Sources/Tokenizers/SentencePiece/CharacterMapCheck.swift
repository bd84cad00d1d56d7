/// Checks the one part of an .spm file that the SentencePiece library trusts blindly: the compiled character
/// map of its normalizer.
///
/// The library follows the trie's offsets without bounds and gathers at most 32 matches at one place of a
/// text, so a damaged file would read and write outside of its memory. A map that passes cannot.
///
/// - Source: `normalizer_spec` (field 3) and `denormalizer_spec` (field 5) of sentencepiece_model.proto; in
///   them `precompiled_charsmap` (field 2).
/// - Complexity: O(256 x states of the trie).
enum CharacterMapCheck {
    /// Why a model must not be handed to the library; nil where it may.
    static func problem(inModel bytes: [UInt8]) -> String? {
        guard let fields = SentencePieceFile.delimitedFields(of: bytes[...]) else {
            return "damaged protobuf message"
        }
        for (number, specification) in fields where number == 3 || number == 5 {
            guard let maps = SentencePieceFile.delimitedFields(of: specification) else {
                return "damaged normalizer specification"
            }
            for (number, map) in maps where number == 2 && !map.isEmpty {
                guard CharacterTrie(map: map)?.isSound == true else { return "damaged character map" }
            }
        }
        return nil
    }
}
