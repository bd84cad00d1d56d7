/// How a plan came about. Files and people see its text form.
public enum PlanOrigin: Hashable, Sendable, LosslessStringConvertible {
    /// One scheme for all sublayers: `uniform bcq3`.
    case uniform(Scheme)
    /// One scheme wherever constraints allow it, else the allowed one nearest in bytes: `near uniform bcq3`.
    case nearUniform(Scheme)
    /// The optimum of a table's summed losses: `sum of losses`.
    case sumOfLosses
    /// The same with two schemes only, those of the neighbouring uniform plans: `between bcq2 and bcq3`.
    case between(Scheme, Scheme)
    /// Chosen by hand, as a paper has it: `preset chung`.
    case preset(Preset)
    /// The best plan of a search by measurements: `in context`.
    case inContext
    /// A plan that the search measured on its way, by its round, from 1: `in context, step 2`.
    case inContextStep(Int)
    /// The optimum of a frontier at a size that was asked for: `optimum at 20000000`.
    case optimum(bytes: Int)
    /// What a person called it.
    case named(String)

    /// Reads the text form; any other text is a name.
    public init(_ text: String) { self = Self.known(text) ?? .named(text) }

    private static func known(_ text: String) -> PlanOrigin? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        switch (words.first, words.count) {
        case ("uniform", 2): return Scheme(words[1]).map { .uniform($0) }
        case ("near", 3) where words[1] == "uniform": return Scheme(words[2]).map { .nearUniform($0) }
        case ("between", 4) where words[2] == "and":
            guard let small = Scheme(words[1]), let large = Scheme(words[3]) else { return nil }
            return .between(small, large)
        case ("preset", 2): return Preset(words[1]).map { .preset($0) }
        case ("optimum", 3) where words[1] == "at": return Int(words[2]).map { .optimum(bytes: $0) }
        case ("in", 4) where words[1...2] == ["context,", "step"]:
            return Int(words[3]).map { .inContextStep($0) }
        default: return text == "sum of losses" ? .sumOfLosses : text == "in context" ? .inContext : nil
        }
    }

    /// The text form.
    public var description: String {
        switch self {
        case .uniform(let scheme): "uniform \(scheme)"
        case .nearUniform(let scheme): "near uniform \(scheme)"
        case .sumOfLosses: "sum of losses"
        case .between(let small, let large): "between \(small) and \(large)"
        case .preset(let preset): "preset \(preset)"
        case .inContext: "in context"
        case .inContextStep(let step): "in context, step \(step)"
        case .optimum(let bytes): "optimum at \(bytes)"
        case .named(let name): name
        }
    }
}

extension PlanOrigin: Codable {
    /// Reads the text form.
    public init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(String.self))
    }

    /// Writes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
