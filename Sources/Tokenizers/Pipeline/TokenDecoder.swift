/// How tokens become text again, as `decoder` of a tokenizer.json says: steps that change a list of tokens,
/// which is joined in the end.
///
/// - Source: Hugging Face's tokenizers 0.23, `decoders`.
struct TokenDecoder: Sendable {
    private enum Step: Sendable {
        /// Characters that stand for bytes (`ByteAlphabet`).
        case byteLevel
        /// A text in the place of another, in every token.
        case replace([UInt8], by: [UInt8])
        /// Runs of tokens `<0x00>` to `<0xFF>`: the text that their bytes are, or U+FFFD for each of them
        /// where they are no UTF-8.
        case byteFallback
        /// All tokens as one.
        case fuse
        /// As many of a character at most from the start and the end of every token.
        case strip([UInt8], left: Int, right: Int)
        /// The sign for a space; in the first token, where one was put before the text, none.
        case metaspace([UInt8], isPrepended: Bool)
    }

    private var steps: [Step] = []

    /// Whether tokens are written in the alphabet of bytes.
    var isByteLevel: Bool {
        steps.contains { if case .byteLevel = $0 { true } else { false } }
    }

    /// Reads `decoder`; a kind that is not known is refused by name.
    init(_ field: JSONField) throws(TokenizerError) { try read(field) }

    private mutating func read(_ field: JSONField) throws(TokenizerError) {
        let kind = try field.required("type").string()
        switch kind {
        case "Sequence": for step in try field.required("decoders").elements() { try read(step) }
        case "ByteLevel": steps.append(.byteLevel)
        case "Replace":
            guard let text = try field.required("pattern").optional("String")?.bytes(), !text.isEmpty else {
                throw .unsupported(file: field.file, what: "the decoder 'Replace' of a regular expression")
            }
            steps.append(.replace(text, by: try field.required("content").bytes()))
        case "ByteFallback": steps.append(.byteFallback)
        case "Fuse": steps.append(.fuse)
        case "Strip":
            let content = try field.required("content").bytes()
            let (left, right) = (
                try field.required("start").integer(), try field.required("stop").integer()
            )
            guard !content.isEmpty, left >= 0, right >= 0 else {
                throw field.unexpected("a character and how many of them")
            }
            steps.append(.strip(content, left: left, right: right))
        case "Metaspace":
            let metaspace = try Metaspace(field)
            steps.append(
                .metaspace([metaspace.replacement].utf8, isPrepended: metaspace.prepending != .never))
        default: throw .unsupported(file: field.file, what: "the decoder '\(kind)'")
        }
    }

    /// The text of tokens, as bytes: not all of them are UTF-8 where tokens are bytes.
    func text(of tokens: [[UInt8]]) -> [UInt8] {
        steps.reduce(tokens) { Self.run($1, $0) }.flatMap { $0 }
    }

    private static func run(_ step: Step, _ tokens: [[UInt8]]) -> [[UInt8]] {
        switch step {
        case .byteLevel: tokens.map(ByteAlphabet.bytes)
        case .replace(let pattern, let replacement):
            tokens.map { SpaceCleaning.replace(pattern, by: replacement, in: $0) }
        case .byteFallback: withoutByteTokens(tokens)
        case .fuse: [tokens.flatMap { $0 }]
        case .strip(let content, let left, let right):
            tokens.map { strip(content, left: left, right: right, from: $0) }
        case .metaspace(let sign, let isPrepended):
            tokens.enumerated().map { index, token in
                SpaceCleaning.replace(sign, by: index == 0 && isPrepended ? [] : [0x20], in: token)
            }
        }
    }

    private static func strip(
        _ content: [UInt8], left: Int, right: Int, from token: [UInt8]
    ) -> [UInt8] {
        var rest = token[...]
        for _ in 0..<left where rest.starts(with: content) { rest = rest.dropFirst(content.count) }
        for _ in 0..<right where rest.suffix(content.count).elementsEqual(content) {
            rest = rest.dropLast(content.count)
        }
        return Array(rest)
    }

    private static func withoutByteTokens(_ tokens: [[UInt8]]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var run: [UInt8] = []
        func flush() {
            guard !run.isEmpty else { return }
            if JSONReader.firstInvalidUTF8(in: run) == nil {
                result.append(run)
            } else {
                for _ in run { result.append(Array("\u{FFFD}".utf8)) }
            }
            run = []
        }
        for token in tokens {
            if let byte = ByteToken.byte(of: token) {
                run.append(byte)
            } else {
                flush()
                result.append(token)
            }
        }
        flush()
        return result
    }

    /// The bytes that a token stands for inside of a text.
    func bytes(of token: [UInt8]) -> [UInt8] {
        steps.reduce(token) { token, step in
            switch step {
            case .byteLevel: ByteAlphabet.bytes(of: token)
            case .replace(let pattern, let replacement):
                SpaceCleaning.replace(pattern, by: replacement, in: token)
            case .byteFallback: ByteToken.byte(of: token).map { [$0] } ?? token
            case .metaspace(let sign, _): SpaceCleaning.replace(sign, by: [0x20], in: token)
            case .fuse, .strip: token
            }
        }
    }
}

/// The tokens `<0x00>` to `<0xFF>`, in which characters are written that have no token.
enum ByteToken {
    private static let digits = Array("0123456789ABCDEF".utf8)

    /// The token of a byte.
    static func token(of byte: UInt8) -> [UInt8] {
        Array("<0x".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)], UInt8(ascii: ">")]
    }

    /// The byte that a token stands for; nil where it is another. Small letters are read too, as the
    /// reference does.
    static func byte(of token: [UInt8]) -> UInt8? {
        guard token.count == 6, token.starts(with: Array("<0x".utf8)), token[5] == UInt8(ascii: ">") else {
            return nil
        }
        return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
    }
}
