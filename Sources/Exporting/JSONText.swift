import PlanFormat

/// JSON whose objects keep the order of their keys: for consumers that take the first key that matches.
indirect enum JSONText {
    case object([(key: String, value: JSONText)])
    case array([JSONText])
    case string(String)
    case number(Int)
    case bool(Bool)
    case null

    /// The text, indented by two spaces; a line feed at the end.
    var text: String { rendered(indent: "") + "\n" }

    private func rendered(indent: String) -> String {
        let inner = indent + "  "
        switch self {
        case .object(let entries):
            guard !entries.isEmpty else { return "{}" }
            // Objects of plain values stand on one line.
            if entries.allSatisfy({ $0.value.isPlain }), !indent.isEmpty {
                return "{"
                    + entries.map { "\($0.key.jsonQuoted): \($0.value.rendered(indent: ""))" }.joined(
                        separator: ", ")
                    + "}"
            }
            return "{\n"
                + entries.map { "\(inner)\($0.key.jsonQuoted): \($0.value.rendered(indent: inner))" }
                .joined(separator: ",\n") + "\n\(indent)}"
        case .array(let values):
            guard !values.isEmpty else { return "[]" }
            return "[\n" + values.map { inner + $0.rendered(indent: inner) }.joined(separator: ",\n")
                + "\n\(indent)]"
        case .string(let text): return text.jsonQuoted
        case .number(let value): return String(value)
        case .bool(let value): return value ? "true" : "false"
        case .null: return "null"
        }
    }

    private var isPlain: Bool {
        switch self {
        case .object, .array: false
        case .string, .number, .bool, .null: true
        }
    }
}
