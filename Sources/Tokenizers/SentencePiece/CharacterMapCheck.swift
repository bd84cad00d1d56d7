/// Checks the one part of an .spm file that the SentencePiece library trusts blindly: the compiled character
/// map of its normalizer.
///
/// The map is a double-array trie (Aoe 1989, in the layout of Darts-clone) from UTF-8 sequences to offsets
/// into a run of NUL-terminated replacements. The library follows the trie's offsets without bounds and
/// gathers at most 32 matches at one place of a text, so a damaged file would read and write outside of its
/// memory. A map that passes cannot.
///
/// - Source: `normalizer_spec` (field 3) and `denormalizer_spec` (field 5) of sentencepiece_model.proto; in
///   them `precompiled_charsmap` (field 2).
/// - Complexity: O(256 x states of the trie).
struct CharacterMapCheck {
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
                guard var check = CharacterMapCheck(map: map), check.isSound else {
                    return "damaged character map"
                }
            }
        }
        return nil
    }

    /// The library's buffer for the matches at one place.
    private static let maximumMatches = 32
    /// Far beyond any sequence of a real map, and little enough for the stack.
    private static let maximumLength = 1024

    private let units: [UInt32]
    private let replacementBytes: Int
    /// By unit: 0 before the visit, `visiting` during it, then 1 + the most matches on a path that starts
    /// there.
    private var matches: [UInt8]
    private static let visiting = UInt8.max

    /// nil where the map's outer layout is wrong: the trie's size in bytes, the trie, replacements that end
    /// with NUL.
    private init?(map: ArraySlice<UInt8>) {
        func word(at offset: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(map[map.startIndex + offset + $1]) << (8 * UInt32($1)) }
        }
        guard map.count > 4, map.last == 0 else { return nil }
        let trieBytes = Int(word(at: 0))
        guard trieBytes >= 4, trieBytes % 4 == 0, trieBytes < map.count - 4 else { return nil }
        units = (0..<trieBytes / 4).map { word(at: 4 + 4 * $0) }
        replacementBytes = map.count - 4 - trieBytes
        matches = [UInt8](repeating: 0, count: units.count)
    }

    private var isSound: Bool {
        mutating get { matchesBelow(Int(Self.offset(units[0])), length: 0) != nil }
    }

    private static func offset(_ unit: UInt32) -> UInt32 { (unit >> 10) << ((unit & 1 << 9) >> 6) }

    /// The most matches on a path whose next unit is `base` XOR the next byte; nil where a path leaves the
    /// arrays, loops or has too many.
    private mutating func matchesBelow(_ base: Int, length: Int) -> Int? {
        // All 256 places that the next byte may choose.
        guard base | 0xFF < units.count, length < Self.maximumLength else { return nil }
        var most = 0
        for byte in 0..<256 {
            let index = base ^ byte
            let unit = units[index]
            guard unit & 0x8000_00FF == UInt32(byte) else { continue }
            if matches[index] == Self.visiting { return nil }
            if matches[index] == 0 {
                matches[index] = Self.visiting
                let next = index ^ Int(Self.offset(unit))
                guard var count = matchesBelow(next, length: length + 1) else { return nil }
                if unit >> 8 & 1 == 1 {
                    guard Int(units[next] & 0x7FFF_FFFF) < replacementBytes else { return nil }
                    count += 1
                }
                guard count <= Self.maximumMatches else { return nil }
                matches[index] = UInt8(count + 1)
            }
            most = max(most, Int(matches[index]) - 1)
        }
        return most
    }
}
