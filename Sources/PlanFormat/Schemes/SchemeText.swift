// The text form: a name, then options after colons. Examples: bcq3, bcq2:g64:fp16, emb4:r2, int4:g64,
// int8:tensor:asym, nf4, nf4:dq, pq:b8:k256:int8, tcq2, tcq2.5:c:h, tcq4-2:r4, index8, sign, sign:mean,
// bitlinear, bitlinear:4, w8a8, fp32, fp16.

extension Scheme: CustomStringConvertible, LosslessStringConvertible {
    /// The text form, as plans and the command line show it.
    public var description: String { family.text }

    /// Reads the text form; nil where it names no scheme.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let name = parts.first else { return nil }
        for family in Scheme.families {
            var options = SchemeOptions(parts.dropFirst())
            guard let found = family.read(String(name), &options), options.isEmpty else { continue }
            self = found.scheme
            return
        }
        return nil
    }
}

/// The options after the name of a text form, taken in the order in which the text form writes them.
package struct SchemeOptions {
    private var rest: ArraySlice<Substring>

    init(_ parts: ArraySlice<Substring>) { rest = parts }

    var isEmpty: Bool { rest.isEmpty }

    /// The digit of a name such as `bcq3`; nil where it is another name.
    static func digit(_ name: String, after prefix: String) -> Int? {
        guard name.hasPrefix(prefix), name.count == prefix.count + 1 else { return nil }
        return Int(name.dropFirst(prefix.count))
    }

    /// Whether the next option is this word.
    mutating func take(word: String) -> Bool {
        guard rest.first.map(String.init) == word else { return false }
        rest.removeFirst()
        return true
    }

    /// A positive number behind `prefix`, at most 65536.
    mutating func take(_ prefix: String) -> Int? {
        guard let first = rest.first, first.hasPrefix(prefix) else { return nil }
        let digits = first.dropFirst(prefix.count)
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let value = Int(digits),
            (1...65536).contains(value)
        else { return nil }
        rest.removeFirst()
        return value
    }

    /// FP16 where the next option says so, else FP32.
    mutating func takeFloatType() -> Scheme.FloatType { take(word: "fp16") ? .fp16 : .fp32 }
}

extension Scheme: Codable {
    /// A scheme is stored as its text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// - Throws: `DecodingError.dataCorrupted` where the text names no scheme.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let scheme = Scheme(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "no scheme is called '\(text)'")
        }
        self = scheme
    }
}
