/// Writes spaces as a sign (U+2581), puts one before a text, and cuts before every sign: SentencePiece's way
/// to keep spaces, as `Metaspace` of a tokenizer.json says.
struct Metaspace: Sendable {
    /// Which pieces get a sign in front, where they do not start with one.
    enum Prepending: String, Sendable {
        case always, never
        /// The piece that a text starts with.
        case first
    }

    let replacement: Unicode.Scalar
    let prepending: Prepending
    /// Whether pieces are cut before every sign.
    let isSplitting: Bool

    /// Reads a pre-tokenizer or decoder; files before version 0.15 of the library say `add_prefix_space`.
    init(_ field: JSONField) throws(TokenizerError) {
        let sign = try field.required("replacement")
        let scalars = try sign.string().unicodeScalars
        guard let scalar = scalars.first, scalars.count == 1 else { throw sign.unexpected("one character") }
        replacement = scalar
        if let scheme = try field.optional("prepend_scheme") {
            guard let prepending = Prepending(rawValue: try scheme.string()) else {
                throw scheme.unexpected("always, never or first")
            }
            self.prepending = prepending
        } else {
            prepending = try field.bool("add_prefix_space", default: true) ? .always : .never
        }
        isSplitting = try field.bool("split", default: true)
    }

    /// The pieces of a piece.
    ///
    /// - Parameter isStart: whether the text starts with it.
    func cut(
        _ piece: ArraySlice<Unicode.Scalar>, isStart: Bool, into pieces: inout [ArraySlice<Unicode.Scalar>]
    ) {
        var text = piece.map { $0 == " " ? replacement : $0 }
        if prepending == .always || prepending == .first && isStart, text.first != replacement {
            text.insert(replacement, at: 0)
        }
        guard isSplitting else {
            pieces.append(text[...])
            return
        }
        var start = 0
        for position in text.indices.dropFirst() where text[position] == replacement {
            pieces.append(text[start..<position])
            start = position
        }
        pieces.append(text[start...])
    }
}
