/// What happens to a text before it is cut into words, as `normalizer` of a tokenizer.json says.
indirect enum Normalizer: Sendable {
    case bert(BertNormalizer)
    case form(NormalizationForm)
    case lowercase
    case sequence([Normalizer])

    func normalize(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        switch self {
        case .bert(let normalizer): normalizer.normalize(text)
        case .form(let form): form.normalize(text)
        case .lowercase: text.flatMap(\.lowercased)
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
        case "Sequence":
            var steps: [Normalizer] = []
            for step in try field.required("normalizers").elements() { steps.append(try Normalizer(step)) }
            self = .sequence(steps)
        default: throw .unsupported(file: field.file, what: "the normalizer '\(kind)'")
        }
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
