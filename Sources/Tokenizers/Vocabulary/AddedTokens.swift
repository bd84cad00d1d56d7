/// Tokens that are found in a text before anything else happens to it.
struct AddedTokens: Sendable {
    /// A stretch of a text.
    enum Segment {
        case text(ArraySlice<UInt8>)
        case token(Int)
    }

    /// By first byte, longest first.
    private let byFirstByte: [UInt8: [(bytes: [UInt8], id: Int)]]

    init(_ tokens: [(bytes: [UInt8], id: Int)]) {
        let usable = tokens.filter { !$0.bytes.isEmpty }.sorted { $0.bytes.count > $1.bytes.count }
        byFirstByte = Dictionary(grouping: usable) { $0.bytes[0] }
    }

    /// Cuts `text` at the leftmost occurrence, the longest of those that start there, and so on; no empty stretches.
    ///
    /// - Complexity: O(length of the text x tokens that share a first byte).
    func split(_ text: ArraySlice<UInt8>) -> [Segment] {
        var segments: [Segment] = []
        var start = text.startIndex
        var position = start
        while position < text.endIndex {
            guard let candidates = byFirstByte[text[position]],
                let match = candidates.first(where: { text[position...].starts(with: $0.bytes) })
            else {
                position += 1
                continue
            }
            if start < position { segments.append(.text(text[start..<position])) }
            segments.append(.token(match.id))
            position += match.bytes.count
            start = position
        }
        if start < text.endIndex { segments.append(.text(text[start...])) }
        return segments
    }
}
