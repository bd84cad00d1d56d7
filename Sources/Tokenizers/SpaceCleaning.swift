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

    /// The replacements of `clean_up_tokenization_spaces`, in the reference's order: no space before punctuation and English
    /// contractions.
    static func joined(_ text: String) -> String {
        let replacements = [
            (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
            (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
        ]
        return replacements.reduce(text) { text, pair in
            replace(Array(pair.0.utf8), by: Array(pair.1.utf8), in: text)
        }
    }

    /// Byte for byte: a search over Swift characters would miss a mark that carries a combining character.
    private static func replace(_ pattern: [UInt8], by replacement: [UInt8], in text: String) -> String {
        let bytes = Array(text.utf8)
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
        return String(decoding: result, as: UTF8.self)
    }
}
