/// What happens to a text before it is cut into words, as `normalizer` of a tokenizer.json says.
indirect enum Normalizer: Sendable {
    case bert(BertNormalizer)
    case form(NormalizationForm)
    case lowercase
    case characterMap(CharacterMap)
    /// Puts a text before every text that is not empty.
    case prepend([Unicode.Scalar])
    /// Puts a text in the place of what a pattern finds.
    case replace(Pattern, by: [Unicode.Scalar])
    case sequence([Normalizer])

    /// What `replace` looks for.
    enum Pattern: Sendable {
        case text([Unicode.Scalar])
        /// Two and more spaces, ` {2,}`.
        case spaces
    }

    func normalize(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        switch self {
        case .bert(let normalizer): normalizer.normalize(text)
        case .form(let form): form.normalize(text)
        case .lowercase: text.flatMap(\.lowercased)
        case .characterMap(let map): map.normalize(text)
        case .prepend(let start): text.isEmpty ? text : start + text
        case .replace(let pattern, let replacement): pattern.replaced(by: replacement, in: text)
        case .sequence(let steps): steps.reduce(text) { $1.normalize($0) }
        }
    }

    /// Reads `normalizer`; a kind that is not known is refused by name.
    init(_ field: JSONField) throws(TokenizerError) {
        let kind = try field.required("type").string()
        if let form = NormalizationForm(rawValue: kind) {
            self = .form(form)
            return
        }
        switch kind {
        case "BertNormalizer": self = .bert(try BertNormalizer(field))
        case "Lowercase": self = .lowercase
        case "Precompiled": self = .characterMap(try CharacterMap(field))
        case "Prepend": self = .prepend(Array(try field.required("prepend").string().unicodeScalars))
        case "Replace":
            self = .replace(
                try Pattern(field), by: Array(try field.required("content").string().unicodeScalars))
        case "Sequence":
            var steps: [Normalizer] = []
            for step in try field.required("normalizers").elements() { steps.append(try Normalizer(step)) }
            self = .sequence(steps)
        default: throw .unsupported(file: field.file, what: "the normalizer '\(kind)'")
        }
    }
}

extension Normalizer.Pattern {
    /// Reads `pattern` of a replacement; a regular expression that is not known is refused with its text.
    fileprivate init(_ field: JSONField) throws(TokenizerError) {
        let pattern = try field.required("pattern")
        if let regex = try pattern.optional("Regex")?.string() {
            guard regex == " {2,}" else {
                throw .unsupported(
                    file: field.file, what: "the normalizer 'Replace' of the pattern '\(regex)'")
            }
            self = .spaces
            return
        }
        let text = Array(try pattern.required("String").string().unicodeScalars)
        guard !text.isEmpty else { throw try pattern.required("String").unexpected("a text") }
        self = .text(text)
    }

    /// Where a match that starts at `start` ends; nil where none does.
    private func end(in text: [Unicode.Scalar], at start: Int) -> Int? {
        switch self {
        case .text(let pattern): text[start...].starts(with: pattern) ? start + pattern.count : nil
        case .spaces:
            if let end = text[start...].firstIndex(where: { $0 != " " }) {
                end - start > 1 ? end : nil
            } else {
                text.count - start > 1 ? text.count : nil
            }
        }
    }

    /// The text with `replacement` for every match, from left to right.
    fileprivate func replaced(
        by replacement: [Unicode.Scalar], in text: [Unicode.Scalar]
    ) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(text.count)
        var position = 0
        while position < text.count {
            if let end = end(in: text, at: position) {
                result += replacement
                position = end
            } else {
                result.append(text[position])
                position += 1
            }
        }
        return result
    }
}

extension Unicode.Scalar {
    /// This scalar's own lower case, whatever stands around it.
    var lowercased: [Unicode.Scalar] {
        if isASCII {
            return [("A"..."Z").contains(self) ? Unicode.Scalar(UInt8(value) + 32) : self]
        }
        return Array(properties.lowercaseMapping.unicodeScalars)
    }
}
