/// The unit of allocation: a kind (`Enc_ee`, `Dec_ffn`, `Emb`, `Attention`...) and, where there are several,
/// a depth from 0.
public struct SublayerName: Hashable, Sendable, Comparable, Codable, CustomStringConvertible,
    LosslessStringConvertible
{
    /// The kind, as the papers write it.
    public let kind: SublayerKind
    /// The layer's index from the input, nil where the kind occurs once.
    public let depth: Int?

    /// A name from its parts.
    public init(_ kind: SublayerKind, depth: Int? = nil) {
        self.kind = kind
        self.depth = depth
    }

    /// Reads `Enc_ee.3` or `Emb`; nil where the text is neither.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard let kind = parts.first, !kind.isEmpty, parts.count <= 2 else { return nil }
        self.kind = SublayerKind(rawValue: String(kind))
        if parts.count == 2 {
            guard let depth = Int(parts[1]), depth >= 0, String(depth) == parts[1] else { return nil }
            self.depth = depth
        } else {
            depth = nil
        }
    }

    /// `Enc_ee.3` or `Emb`.
    public var description: String { depth.map { "\(kind).\($0)" } ?? kind.rawValue }

    /// By kind, then by depth as a number.
    public static func < (left: SublayerName, right: SublayerName) -> Bool {
        (left.kind, left.depth ?? -1) < (right.kind, right.depth ?? -1)
    }

    /// Whether `pattern` names this sublayer: its own name, its kind, `Kind.*`, or `*` for every sublayer.
    public func matches(_ pattern: String) -> Bool {
        pattern == "*" || pattern == description || pattern == kind.rawValue
            || pattern == "\(kind).*"
    }

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
