extension Scheme {
    /// 8-bit symmetric weights per row and 8-bit activations per token. Text form: `w8a8`.
    public struct W8A8: Hashable, Sendable {}

    /// 8-bit symmetric weights per row and 8-bit activations per token (W8A8).
    public static let integer8Activations = Scheme.w8a8(W8A8())
}

extension Scheme.W8A8: SchemeFamily {
    package var scheme: Scheme { .w8a8(self) }

    package var text: String { "w8a8" }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        name == "w8a8" ? Self() : nil
    }

    /// `codes` (rows, columns), `scales` (rows).
    package func parts(rows: Int, columns: Int) -> [StoredPart] {
        [.signedBytes(rows: rows, columns: columns), StoredPart("scales", .float32, [rows])]
    }

    package var codeBits: Double { 8 }
    package var grid: IntegerGrid? { IntegerGrid(bits: 8, isSymmetric: true, granularity: .row) }
    package var activations: Activations { .quantized(bits: 8, normalized: false) }

    package func operations(rows: Int, columns: Int, tokens: Int) -> [Operations] {
        [
            .dense(.int8, rows: rows, columns: columns, tokens: tokens),
            .scaling(rows: rows, columns: columns, tokens: tokens),
        ]
    }
}
