/// How large a model may become: `20MB`, `20MiB`, `10x` smaller than FP32, or `2.6bits` a weight.
public enum SizeTarget: Hashable, Sendable, LosslessStringConvertible {
    case bytes(Int)
    /// A ratio to the FP32 model.
    case compression(Double)
    /// Mean bits of all weights, those that stay FP32 included.
    case bitsPerWeight(Double)

    /// Reads a number with a unit (`B`, `kB`, `MB`, `GB`, `KiB`, `MiB`, `GiB`, `x`, `bits`), upper or lower
    /// case; nil for anything else, zero and negative numbers included.
    public init?(_ text: String) {
        let units: [(String, (Double) -> SizeTarget)] = [
            ("bits", { .bitsPerWeight($0) }), ("x", { .compression($0) }),
            ("kib", { .scaled($0, 1024) }), ("mib", { .scaled($0, 1_048_576) }),
            ("gib", { .scaled($0, 1_073_741_824) }),
            ("kb", { .scaled($0, 1000) }), ("mb", { .scaled($0, 1_000_000) }),
            ("gb", { .scaled($0, 1_000_000_000) }),
            ("b", { .scaled($0, 1) }),
        ]
        let lower = text.lowercased()
        guard let (unit, make) = units.first(where: { lower.hasSuffix($0.0) }),
            let value = SizeTarget.number(lower.dropLast(unit.count)), value > 0, value < 1e15
        else { return nil }
        self = make(value)
        if case .bytes(0) = self { return nil }
    }

    private static func scaled(_ value: Double, _ unit: Double) -> SizeTarget {
        .bytes(whole(value * unit))
    }

    /// Rounded down; 10^18 for more, which no model has.
    private static func whole(_ bytes: Double) -> Int { Int(min(bytes.rounded(.down), 1e18)) }

    /// Digits with at most one point; nothing else that `Double` would read.
    private static func number(_ text: Substring) -> Double? {
        guard text.contains(where: { $0.isASCII && $0.isNumber }),
            text.allSatisfy({ ($0.isASCII && $0.isNumber) || $0 == "." })
        else { return nil }
        return Double(text)
    }

    /// The most bytes that a model of this layout may have, FP32 parts included.
    public func bytes(of layout: ModelLayout) -> Int {
        switch self {
        case .bytes(let bytes): bytes
        case .compression(let ratio): SizeTarget.whole(Double(layout.fullPrecisionBytes) / ratio)
        case .bitsPerWeight(let bits): SizeTarget.whole(Double(layout.parameterCount) * bits / 8)
        }
    }

    /// The text form, sizes in bytes.
    public var description: String {
        switch self {
        case .bytes(let bytes): "\(bytes)B"
        case .compression(let ratio): "\(ratio)x"
        case .bitsPerWeight(let bits): "\(bits)bits"
        }
    }
}
