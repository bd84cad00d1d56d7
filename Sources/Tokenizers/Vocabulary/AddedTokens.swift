/// A token that is found in a text as it stands, before the text is cut by other rules.
struct AddedToken: Sendable {
    var content: [UInt8]
    let id: Int
    /// Not inside of a word.
    var singleWord = false
    /// Takes the whitespace before it along.
    var stripsLeft = false
    /// Takes the whitespace behind it along.
    var stripsRight = false
    /// Looked for in the normalized text, not in the text as given.
    var normalized = false
    var special = true
}

/// A set of added tokens, all looked for at once.
struct AddedTokens: Sendable {
    /// A stretch of a text.
    enum Segment {
        case text(ArraySlice<UInt8>)
        case token(Int)
    }

    /// By first byte, longest first.
    private let byFirstByte: [UInt8: [AddedToken]]

    var isEmpty: Bool { byFirstByte.isEmpty }

    init(_ tokens: [AddedToken]) {
        let usable = tokens.filter { !$0.content.isEmpty }.sorted { $0.content.count > $1.content.count }
        byFirstByte = Dictionary(grouping: usable) { $0.content[0] }
    }

    /// Cuts a UTF-8 text at the leftmost occurrence, the longest of those that start there, and so on; no
    /// empty stretches.
    ///
    /// - Complexity: O(length of the text x tokens that share a first byte).
    func split(_ text: ArraySlice<UInt8>) -> [Segment] {
        guard !isEmpty else { return text.isEmpty ? [] : [.text(text)] }
        var segments: [Segment] = []
        var start = text.startIndex
        var position = start
        while position < text.endIndex {
            guard let candidates = byFirstByte[text[position]],
                let token = candidates.first(where: { text[position...].starts(with: $0.content) })
            else {
                position += 1
                continue
            }
            var end = position + token.content.count
            let before = text[..<position]
            let after = text[end...]
            var from = position
            position = end
            if token.singleWord,
                before.lastScalar?.isWordCharacter ?? false || after.firstScalar?.isWordCharacter ?? false
            {
                continue
            }
            if token.stripsLeft {
                var rest = before[start...]
                while let scalar = rest.lastScalar, scalar.isSpace { rest.removeLast(UTF8.width(scalar)) }
                from = rest.endIndex
            }
            if token.stripsRight {
                var rest = after
                while let scalar = rest.firstScalar, scalar.isSpace { rest.removeFirst(UTF8.width(scalar)) }
                end = rest.startIndex
            }
            if start < from { segments.append(.text(text[start..<from])) }
            segments.append(.token(token.id))
            start = end
            position = max(position, end)
        }
        if start < text.endIndex { segments.append(.text(text[start...])) }
        return segments
    }
}

extension ArraySlice where Element == UInt8 {
    /// The first scalar of valid UTF-8.
    var firstScalar: Unicode.Scalar? { String(decoding: prefix(4), as: UTF8.self).unicodeScalars.first }

    /// The last scalar of valid UTF-8.
    var lastScalar: Unicode.Scalar? {
        guard let lead = suffix(4).lastIndex(where: { $0 & 0xC0 != 0x80 }) else { return nil }
        return self[lead...].firstScalar
    }
}
