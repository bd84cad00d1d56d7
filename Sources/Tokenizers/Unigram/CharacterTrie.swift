/// A compiled character map: a double-array trie (Aoe 1989, in the layout of Darts-clone) from UTF-8
/// sequences to offsets into a run of NUL-terminated replacements.
struct CharacterTrie: Sendable {
    /// The SentencePiece library's buffer for the matches at one place.
    private static let maximumMatches = 32
    /// Far beyond any sequence of a real map, and little enough for the stack.
    private static let maximumLength = 1024

    private let units: [UInt32]
    private let replacements: ArraySlice<UInt8>

    /// nil where the map's outer layout is wrong: the trie's size in bytes, the trie, replacements that end
    /// with NUL.
    init?(map: ArraySlice<UInt8>) {
        func word(at offset: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(map[map.startIndex + offset + $1]) << (8 * UInt32($1)) }
        }
        guard map.count > 4, map.last == 0 else { return nil }
        let trieBytes = Int(word(at: 0))
        guard trieBytes >= 4, trieBytes % 4 == 0, trieBytes < map.count - 4 else { return nil }
        units = (0..<trieBytes / 4).map { word(at: 4 + 4 * $0) }
        replacements = map[(map.startIndex + 4 + trieBytes)...]
    }

    /// Whether no text leads outside of the arrays.
    var isSound: Bool {
        var matches = [UInt8](repeating: 0, count: units.count)
        return matchesBelow(Int(Self.offset(units[0])), length: 0, &matches) != nil
    }

    /// The replacement of the shortest sequence that a text starts with; only of a sound trie.
    func firstMatch(in text: [UInt8]) -> ArraySlice<UInt8>? {
        var place = Int(Self.offset(units[0]))
        for byte in text {
            if byte == 0 { return nil }
            place ^= Int(byte)
            let unit = units[place]
            guard unit & 0x8000_00FF == UInt32(byte) else { return nil }
            place ^= Int(Self.offset(unit))
            if unit >> 8 & 1 == 1 {
                let rest = replacements.dropFirst(Int(units[place] & 0x7FFF_FFFF))
                return rest.prefix { $0 != 0 }
            }
        }
        return nil
    }

    private static func offset(_ unit: UInt32) -> UInt32 { (unit >> 10) << ((unit & 1 << 9) >> 6) }

    /// By unit in `matches`: 0 before the visit, this during it, then 1 + the most matches on a path that
    /// starts there.
    private static let visiting = UInt8.max

    /// The most matches on a path whose next unit is `base` XOR the next byte; nil where a path leaves the
    /// arrays, loops or has too many.
    private func matchesBelow(_ base: Int, length: Int, _ matches: inout [UInt8]) -> Int? {
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
                guard var count = matchesBelow(next, length: length + 1, &matches) else { return nil }
                if unit >> 8 & 1 == 1 {
                    guard Int(units[next] & 0x7FFF_FFFF) < replacements.count else { return nil }
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
