/// A JSON document whose strings stay bytes.
///
/// Foundation's readers key objects by `String`, and Swift's strings are equal when they are canonically
/// equivalent: composed and decomposed "é" would silently become one vocabulary entry. Here every key keeps
/// its own bytes, in document order.
enum JSONValue {
    case null
    case bool(Bool)
    /// The number as written.
    case number(String)
    /// Valid UTF-8, escapes resolved.
    case string([UInt8])
    case array([JSONValue])
    /// Members in document order, repeated keys included.
    case object([(key: [UInt8], value: JSONValue)])

    /// What errors call this value.
    var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a Boolean"
        case .number(let text): text
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// The number as an integer; nil for fractions, exponents and what does not fit.
    var integer: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text)
    }
}

/// A value together with its place, so that a wrong type is reported by file and field.
struct JSONField {
    let file: String
    /// Empty for the whole document; otherwise like `model.vocab`.
    let path: String
    let value: JSONValue

    init(file: String, path: String = "", value: JSONValue) {
        self.file = file
        self.path = path
        self.value = value
    }

    private func child(_ name: String, _ value: JSONValue) -> JSONField {
        JSONField(file: file, path: path.isEmpty ? name : "\(path).\(name)", value: value)
    }

    /// The error for a value of another kind than `expected`.
    func unexpected(_ expected: String) -> TokenizerError {
        let got: String
        if case .string(let bytes) = value {
            got = "'\(String(decoding: bytes, as: UTF8.self))'"
        } else {
            got = value.typeName
        }
        return .unexpectedValue(
            file: file, field: path.isEmpty ? "document" : path, expected: expected, got: got)
    }

    /// The members of an object.
    func members() throws(TokenizerError) -> [(key: [UInt8], value: JSONValue)] {
        guard case .object(let members) = value else { throw unexpected("an object") }
        return members
    }

    /// The elements of an array.
    func elements() throws(TokenizerError) -> [JSONField] {
        guard case .array(let elements) = value else { throw unexpected("an array") }
        return elements.enumerated().map {
            JSONField(file: file, path: "\(path)[\($0.offset)]", value: $0.element)
        }
    }

    /// The member called `name`, nil where it is absent or null. The last one counts where a key is repeated,
    /// as in Python.
    func optional(_ name: String) throws(TokenizerError) -> JSONField? {
        let key = Array(name.utf8)
        guard let member = try members().last(where: { $0.key == key }) else { return nil }
        if case .null = member.value { return nil }
        return child(name, member.value)
    }

    /// The member called `name`.
    func required(_ name: String) throws(TokenizerError) -> JSONField {
        guard let member = try optional(name) else {
            throw .missingField(file: file, field: path.isEmpty ? name : "\(path).\(name)")
        }
        return member
    }

    /// A string's bytes.
    func bytes() throws(TokenizerError) -> [UInt8] {
        guard case .string(let bytes) = value else { throw unexpected("a string") }
        return bytes
    }

    /// A string.
    func string() throws(TokenizerError) -> String { String(decoding: try bytes(), as: UTF8.self) }

    /// A whole number.
    func integer() throws(TokenizerError) -> Int {
        guard let integer = value.integer else { throw unexpected("an integer") }
        return integer
    }

    /// A Boolean.
    func bool() throws(TokenizerError) -> Bool {
        guard case .bool(let bool) = value else { throw unexpected("true or false") }
        return bool
    }

    /// The Boolean called `name`, or `fallback` where it is absent or null.
    func bool(_ name: String, default fallback: Bool) throws(TokenizerError) -> Bool {
        try optional(name)?.bool() ?? fallback
    }

    /// The text of a special token, written as a string or as an object with its content and flags.
    func tokenContent() throws(TokenizerError) -> String {
        if case .string = value { return try string() }
        for flag in ["lstrip", "rstrip", "single_word"] where try bool(flag, default: false) {
            throw .unsupported(file: file, what: "\(path).\(flag)")
        }
        return try required("content").string()
    }
}
