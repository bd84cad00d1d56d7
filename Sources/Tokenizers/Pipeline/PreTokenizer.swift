/// How a normalized text is cut into pieces that are tokenized one by one, as `pre_tokenizer` of a
/// tokenizer.json says.
struct PreTokenizer: Sendable {
    enum Step: Sendable {
        /// At whitespace, which goes away, and around punctuation.
        case bert
        /// Around numbers: every digit alone, or every run of digits.
        case digits(individual: Bool)
        /// Into the matches of a regular expression.
        case pattern(SplitPattern)
        /// Behind every occurrence of a character.
        case behind(Unicode.Scalar)
        /// A space in front of every piece that does not start with one.
        case prefixSpace
        /// At whitespace, which goes away.
        case whitespace
        /// Before spaces, which stay as a sign.
        case metaspace(Metaspace)
    }

    let steps: [Step]
    /// Whether the pieces are tokenized as bytes (the step `ByteLevel`).
    let isByteLevel: Bool

    /// BERT's.
    static let bert = PreTokenizer(steps: [.bert], isByteLevel: false)

    private init(steps: [Step], isByteLevel: Bool) {
        self.steps = steps
        self.isByteLevel = isByteLevel
    }

    /// Reads `pre_tokenizer`; a kind or pattern that is not known is refused by name.
    init(_ field: JSONField) throws(TokenizerError) {
        var steps: [Step] = []
        var isByteLevel = false
        try Self.read(field, into: &steps, &isByteLevel)
        self.init(steps: steps, isByteLevel: isByteLevel)
    }

    private static func read(
        _ field: JSONField, into steps: inout [Step], _ isByteLevel: inout Bool
    ) throws(TokenizerError) {
        let kind = try field.required("type").string()
        if isByteLevel {
            throw .unsupported(file: field.file, what: "a pre-tokenizer after 'ByteLevel' ('\(kind)')")
        }
        switch kind {
        case "Sequence":
            for step in try field.required("pretokenizers").elements() {
                try read(step, into: &steps, &isByteLevel)
            }
        case "BertPreTokenizer": steps.append(.bert)
        case "Digits": steps.append(.digits(individual: try field.bool("individual_digits", default: false)))
        case "Split":
            if try field.bool("invert", default: false) {
                throw .unsupported(file: field.file, what: "an inverted pre-tokenizer 'Split'")
            }
            let pattern = try field.required("pattern")
            let regex = try pattern.optional("Regex")?.string()
            let behavior = try field.required("behavior").string()
            switch (regex, behavior) {
            case (let regex?, "Isolated"): steps.append(.pattern(try SplitPattern(regex, file: field.file)))
            case (nil, "MergedWithPrevious"):
                let text = try pattern.required("String").string().unicodeScalars
                guard let scalar = text.first, text.count == 1 else {
                    throw .unsupported(
                        file: field.file, what: "a pre-tokenizer 'Split' by several characters")
                }
                steps.append(.behind(scalar))
            default:
                throw .unsupported(
                    file: field.file,
                    what: "the behavior '\(behavior)' of the pre-tokenizer 'Split'"
                        + (regex == nil ? " by a plain string" : ""))
            }
        case "WhitespaceSplit": steps.append(.whitespace)
        case "Metaspace": steps.append(.metaspace(try Metaspace(field)))
        case "ByteLevel":
            if try field.bool("add_prefix_space", default: true) { steps.append(.prefixSpace) }
            if try field.bool("use_regex", default: true) { steps.append(.pattern(.gpt2)) }
            isByteLevel = true
        default: throw .unsupported(file: field.file, what: "the pre-tokenizer '\(kind)'")
        }
    }

    /// The pieces of a text, in order; none is empty.
    ///
    /// - Parameter isStart: whether nothing stands before the text, no added token either.
    func pieces(of text: [Unicode.Scalar], isStart: Bool) -> [ArraySlice<Unicode.Scalar>] {
        var pieces = text.isEmpty ? [] : [text[...]]
        for step in steps {
            var next: [ArraySlice<Unicode.Scalar>] = []
            next.reserveCapacity(pieces.count)
            for (index, piece) in pieces.enumerated() {
                step.cut(piece, isStart: isStart && index == 0 && piece.startIndex == 0, into: &next)
            }
            pieces = next
        }
        return pieces
    }
}

extension PreTokenizer.Step {
    fileprivate func cut(
        _ piece: ArraySlice<Unicode.Scalar>, isStart: Bool, into pieces: inout [ArraySlice<Unicode.Scalar>]
    ) {
        switch self {
        case .bert, .whitespace:
            let cutsPunctuation = if case .bert = self { true } else { false }
            var start = piece.startIndex
            for position in piece.indices {
                let isPunctuation = cutsPunctuation && piece[position].isBertPunctuation
                guard isPunctuation || piece[position].isSpace else { continue }
                if start < position { pieces.append(piece[start..<position]) }
                if isPunctuation { pieces.append(piece[position...position]) }
                start = position + 1
            }
            if start < piece.endIndex { pieces.append(piece[start...]) }
        case .metaspace(let metaspace): metaspace.cut(piece, isStart: isStart, into: &pieces)
        case .digits(let individual):
            var start = piece.startIndex
            for position in piece.indices.dropFirst() {
                let isNumeric = piece[position].isNumeric
                guard isNumeric != piece[position - 1].isNumeric || isNumeric && individual else { continue }
                pieces.append(piece[start..<position])
                start = position
            }
            pieces.append(piece[start...])
        case .pattern(let pattern):
            var start = piece.startIndex
            while start < piece.endIndex {
                let end = pattern.matchEnd(in: piece, at: start)
                pieces.append(piece[start..<end])
                start = end
            }
        case .behind(let mark):
            var start = piece.startIndex
            for position in piece.indices.dropLast() where piece[position] == mark {
                pieces.append(piece[start...position])
                start = position + 1
            }
            pieces.append(piece[start...])
        case .prefixSpace:
            pieces.append(piece.first == " " ? piece : ([" "] + piece)[...])
        }
    }
}
