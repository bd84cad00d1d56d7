/// The unit of allocation: a kind (`Enc_ee`, `Dec_ffn`, `Emb`, `Attention`...), where there are several a
/// depth from 0, and where it is one matrix of a sublayer the matrix's name.
public struct SublayerName: Hashable, Sendable, Comparable, Codable, CustomStringConvertible,
    LosslessStringConvertible
{
    /// The kind, as the papers write it.
    public let kind: SublayerKind
    /// The layer's index from the input, nil where the kind occurs once.
    public let depth: Int?

    /// One matrix of the sublayer, by what its checkpoint calls it (`q_proj`); nil for the whole of it.
    public let part: String?

    /// A name from its parts.
    public init(_ kind: SublayerKind, depth: Int? = nil, part: String? = nil) {
        self.kind = kind
        self.depth = depth
        self.part = part
    }

    /// Reads `Emb`, `Enc_ee.3` or `Enc_ee.3.q_proj`; nil where the text is none of these.
    public init?(_ text: String) {
        var parts = text.split(separator: ".", omittingEmptySubsequences: false)[...]
        guard let kind = parts.popFirst(), !kind.isEmpty else { return nil }
        self.kind = SublayerKind(rawValue: String(kind))
        if let first = parts.first, first.first?.isNumber == true {
            guard let depth = Int(first), depth >= 0, String(depth) == first else { return nil }
            self.depth = depth
            parts.removeFirst()
        } else {
            depth = nil
        }
        func isWord(_ part: Substring) -> Bool {
            part.first.map { $0.isLetter || $0 == "_" } ?? false
        }
        guard let first = parts.first else {
            part = nil
            return
        }
        guard isWord(first), parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        part = parts.joined(separator: ".")
    }

    /// `Emb`, `Enc_ee.3` or `Enc_ee.3.q_proj`.
    public var description: String { sublayer + (part.map { "." + $0 } ?? "") }

    /// The whole sublayer's name: `Enc_ee.3` of `Enc_ee.3.q_proj`.
    public var sublayer: String { depth.map { "\(kind).\($0)" } ?? kind.rawValue }

    /// By kind, then by depth as a number, then by part.
    public static func < (left: SublayerName, right: SublayerName) -> Bool {
        (left.kind, left.depth ?? -1, left.part ?? "") < (right.kind, right.depth ?? -1, right.part ?? "")
    }

    /// The keys that name this sublayer, the most specific first: its own name, that of the sublayer it is a
    /// part of, its kind, `Kind.*`, and `*` for every sublayer with matrices.
    public var patterns: [String] {
        var patterns = [description]
        if part != nil { patterns.append(sublayer) }
        if depth != nil || part != nil { patterns.append(kind.rawValue) }
        return patterns + ["\(kind).*"] + (kind == .vectors ? [] : ["*"])
    }

    /// Whether `pattern` names this sublayer.
    public func matches(_ pattern: String) -> Bool { patterns.contains(pattern) }

    /// A name is stored as its text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// - Throws: `DecodingError.dataCorrupted` where the text is not a sublayer's name.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let name = SublayerName(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is no sublayer name")
        }
        self = name
    }
}
