extension Scheme {
    /// Weights as they are, FP32 or rounded to FP16. Text form: `fp32`, `fp16`.
    public struct FullPrecision: Hashable, Sendable {
        /// The type of the weights.
        public let type: FloatType
    }

    /// Full precision: weights as they are.
    public static func full(_ type: FloatType) -> Scheme { .fullPrecision(FullPrecision(type: type)) }

    /// Weights as FP32: the identity.
    public static let fp32 = Scheme.full(.fp32)
}

extension Scheme.FullPrecision: SchemeFamily {
    package var scheme: Scheme { .fullPrecision(self) }

    package var text: String { type.rawValue }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        Scheme.FloatType(rawValue: name).map { Self(type: $0) }
    }

    /// `weights` (rows, columns).
    package func parts(rows: Int, columns: Int) -> [StoredPart] {
        [StoredPart("weights", type.elementType, [rows, columns])]
    }

    package var codeBits: Double { Double(8 * type.sizeInBytes) }

    package func operations(rows: Int, columns: Int, tokens: Int) -> [Operations] {
        [.dense(type == .fp32 ? .fp32 : .fp16, rows: rows, columns: columns, tokens: tokens)]
    }
}
