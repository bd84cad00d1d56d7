/// GPT-2's way to write any byte as a printable character, so that vocabularies of bytes can be stored as
/// text.
///
/// Printable Latin-1 bytes stand for themselves; the other 68, in order, for the characters from U+0100 on.
///
/// - Source: Radford et al. 2019, `bytes_to_unicode`.
enum ByteAlphabet {
    /// The character of every byte, as UTF-8.
    static let characters: [[UInt8]] = scalars.map { [$0].utf8 }

    private static let scalars: [Unicode.Scalar] = {
        var next: UInt16 = 0x100
        return (UInt8.min...UInt8.max).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
            default:
                defer { next += 1 }
                return Unicode.Scalar(next) ?? "\u{FFFD}"
            }
        }
    }()

    private static let bytes = Dictionary(uniqueKeysWithValues: zip(scalars, UInt8.min...UInt8.max))

    /// The bytes that a token stands for; a token with other characters stands for its own UTF-8.
    static func bytes(of token: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(token.count)
        for scalar in String(decoding: token, as: UTF8.self).unicodeScalars {
            guard let byte = bytes[scalar] else { return token }
            result.append(byte)
        }
        return result
    }
}
