/// The way from a text to ids that all models of a tokenizer.json share: added tokens, normalization, pieces.
struct TextPipeline: Sendable {
    /// As they are found: those that are looked for in normalized text are normalized themselves.
    let tokens: [AddedToken]
    private let givenTokens: AddedTokens
    private let normalizer: Normalizer?
    private let normalizedTokens: AddedTokens
    /// nil where a text between added tokens is one piece.
    private let preTokenizer: PreTokenizer?

    init(added: [AddedToken], normalizer: Normalizer?, preTokenizer: PreTokenizer?) {
        self.normalizer = normalizer
        self.preTokenizer = preTokenizer
        tokens = added.map { token in
            guard token.normalized, let normalizer else { return token }
            var token = token
            token.content = normalizer.normalize(Self.scalars(of: token.content[...])).utf8
            return token
        }
        givenTokens = AddedTokens(tokens.filter { !$0.normalized })
        normalizedTokens = AddedTokens(tokens.filter(\.normalized))
    }

    /// The ids of `text`; `model` appends those of one piece.
    func encode(_ text: String, model: (ArraySlice<Unicode.Scalar>, inout [Int]) -> Void) -> [Int] {
        var ids: [Int] = []
        func append(_ text: [Unicode.Scalar], isStart: Bool, to ids: inout [Int]) {
            guard let preTokenizer else {
                if !text.isEmpty { model(text[...], &ids) }
                return
            }
            for piece in preTokenizer.pieces(of: text, isStart: isStart) { model(piece, &ids) }
        }
        forEachSegment(of: ArraySlice(text.utf8), givenTokens, into: &ids) { given, isStart, ids in
            let scalars = Self.scalars(of: given)
            let normalized = normalizer?.normalize(scalars) ?? scalars
            guard !normalizedTokens.isEmpty else { return append(normalized, isStart: isStart, to: &ids) }
            forEachSegment(of: normalized.utf8[...], normalizedTokens, into: &ids) { text, isFirst, ids in
                append(Self.scalars(of: text), isStart: isStart && isFirst, to: &ids)
            }
        }
        return ids
    }

    /// Runs `body` on the stretches between tokens, and says of each whether the text starts with it.
    private func forEachSegment(
        of text: ArraySlice<UInt8>, _ tokens: AddedTokens, into ids: inout [Int],
        _ body: (ArraySlice<UInt8>, Bool, inout [Int]) -> Void
    ) {
        for segment in tokens.split(text) {
            switch segment {
            case .token(let id): ids.append(id)
            case .text(let stretch): body(stretch, stretch.startIndex == text.startIndex, &ids)
            }
        }
    }

    private static func scalars(of bytes: ArraySlice<UInt8>) -> [Unicode.Scalar] {
        Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
    }
}

extension Collection where Element == Unicode.Scalar {
    /// The scalars as UTF-8.
    var utf8: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for scalar in self {
            if scalar.isASCII {
                bytes.append(UInt8(scalar.value))
            } else {
                bytes += String(Character(scalar)).utf8
            }
        }
        return bytes
    }
}
