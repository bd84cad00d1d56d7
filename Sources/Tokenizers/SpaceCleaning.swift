/// What decoders do with spaces after joining tokens.
enum SpaceCleaning {
    /// The text without whitespace at its ends, whitespace being what Python's `str.strip` takes away.
    static func trimmed(_ scalars: [Unicode.Scalar]) -> String {
        func isSpace(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
        }
        var text = String.UnicodeScalarView()
        if let first = scalars.firstIndex(where: { !isSpace($0) }),
            let last = scalars.lastIndex(where: { !isSpace($0) })
        {
            text.append(contentsOf: scalars[first...last])
        }
        return String(text)
    }

    private static let replacements = [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ].map { (pattern: Array($0.0.utf8), replacement: Array($0.1.utf8)) }

    /// The replacements of `clean_up_tokenization_spaces`, in the reference's order: no space before
    /// punctuation and English contractions.
    static func joined(_ text: String) -> String {
        String(
            decoding: replacements.reduce(Array(text.utf8)) {
                replace($1.pattern, by: $1.replacement, in: $0)
            }, as: UTF8.self)
    }

    /// The same for one token of WordPiece's decoder, which knows one contraction more.
    static func joinedWordPiece(_ token: [UInt8]) -> [UInt8] {
        guard token.first == UInt8(ascii: " ") else { return token }
        let text = replacements.reduce(token) { replace($1.pattern, by: $1.replacement, in: $0) }
        return replace(Array(" do not".utf8), by: Array(" don't".utf8), in: text)
    }

    /// Byte for byte: a search over Swift characters would miss a mark that carries a combining character.
    static func replace(_ pattern: [UInt8], by replacement: [UInt8], in bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var position = 0
        while position < bytes.count {
            if bytes[position...].starts(with: pattern) {
                result += replacement
                position += pattern.count
            } else {
                result.append(bytes[position])
                position += 1
            }
        }
        return result
    }
}
