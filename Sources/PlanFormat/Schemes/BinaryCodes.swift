extension Scheme {
    /// Binary codes: a row, or a group of columns in a row, is `sum_i alpha_i b_i` with `b_i` in {-1, +1}.
    ///
    /// Text form: `bcq<bits>[:g<group>][:fp16]`.
    /// - Source: Guo et al. 2017; Chung et al. 2020, section 3.1: `k n n + 32 k n` bits.
    public struct BinaryCodes: Hashable, Sendable {
        /// Planes of signs: 1 to 8.
        public let bits: Int
        /// Columns that share alphas; nil for whole rows.
        public let group: Int?
        /// How alphas are stored.
        public let alphas: FloatType
    }

    /// Binary codes of `bits` planes, alphas for every `group` columns or for whole rows.
    public static func binaryCodes(bits: Int, group: Int?, alphas: FloatType) -> Scheme {
        .binaryCodes(BinaryCodes(bits: bits, group: group, alphas: alphas))
    }

    /// Binary codes of `bits` planes per row with FP32 alphas: the scheme of Chung et al. 2020.
    public static func bcq(_ bits: Int) -> Scheme { .binaryCodes(bits: bits, group: nil, alphas: .fp32) }
}

extension Scheme.BinaryCodes: SchemeFamily {
    package var scheme: Scheme { .binaryCodes(self) }

    package var text: String {
        "bcq\(bits)" + (group.map { ":g\($0)" } ?? "") + (alphas == .fp16 ? ":fp16" : "")
    }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        guard let bits = SchemeOptions.digit(name, after: "bcq"), (1...8).contains(bits) else { return nil }
        let group = options.take("g")
        return Self(bits: bits, group: group, alphas: options.takeFloatType())
    }

    /// `signs` (bits, rows, bytes of a plane's row), `alphas` (rows, groups, bits).
    package func parts(rows: Int, columns: Int) -> [StoredPart] {
        let rowBytes = ceilDivide(columns, 8)
        return [
            StoredPart(
                "signs", .uint8, [bits, rows, rowBytes],
                order: .interleaved(planes: bits, rows: rows, rowBytes: rowBytes)),
            StoredPart("alphas", alphas.elementType, [rows, groups(columns: columns), bits]),
        ]
    }

    /// Groups of columns in a row.
    package func groups(columns: Int) -> Int { group.map { ceilDivide(columns, $0) } ?? 1 }

    package var codeBits: Double { Double(bits) }
    package var columnsPerScale: Int? { group }
    package var activations: Activations { .rounded(bits: 12) }
    package var hasCalibratedFit: Bool { true }
    package var kernel: Scheme { .binaryCodes(bits: bits, group: group, alphas: .fp32) }

    /// Sums of signed activations, one for every plane and group, each times its alpha.
    package func operations(rows: Int, columns: Int, tokens: Int) -> [Operations] {
        let (m, n, p) = (Double(tokens), Double(columns), Double(rows))
        return [
            Operations(
                .fp32, additions: m * p * (Double(bits) * n - 1),
                multiplications: m * p * Double(bits) * Double(groups(columns: columns)))
        ]
    }
}
