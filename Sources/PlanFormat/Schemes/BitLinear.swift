extension Scheme {
    /// Centred signs with one scale per group of rows, 8-bit activations behind a parameter-free LayerNorm.
    ///
    /// Text form: `bitlinear[:<groups>]`.
    /// - Source: BitNet (Wang et al. 2023).
    public struct BitLinear: Hashable, Sendable {
        /// Groups of consecutive rows, each with a scale.
        public let groups: Int
    }

    /// Centred signs with one scale per group of rows.
    public static func bitLinear(groups: Int) -> Scheme { .bitLinear(BitLinear(groups: groups)) }
}

extension Scheme.BitLinear: SchemeFamily {
    package var scheme: Scheme { .bitLinear(self) }

    package var text: String { groups == 1 ? "bitlinear" : "bitlinear:\(groups)" }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        name == "bitlinear" ? Self(groups: options.take("") ?? 1) : nil
    }

    /// `signs` (rows, bytes), `scales` (groups).
    package func parts(rows: Int, columns: Int) -> [StoredPart] {
        [
            .codes("signs", rows: rows, columns: columns, bits: 1),
            StoredPart("scales", .float32, [groups]),
        ]
    }

    /// The rows of a group: from `rows g / G` up to `rows (g + 1) / G` for group g of G.
    package func rows(of group: Int, rows: Int) -> Range<Int> {
        rows * group / groups..<rows * (group + 1) / groups
    }

    package var codeBits: Double { 1 }
    package var activations: Activations { .quantized(bits: 8, normalized: true) }
    package var kernel: Scheme { .bitLinear(groups: 1) }

    package func operations(rows: Int, columns: Int, tokens: Int) -> [Operations] {
        let sums = Operations.dense(.int8, rows: rows, columns: columns, tokens: tokens).additions
        return [
            Operations(.int8, additions: sums, multiplications: 0),
            .scaling(rows: rows, columns: columns, tokens: tokens),
        ]
    }
}
