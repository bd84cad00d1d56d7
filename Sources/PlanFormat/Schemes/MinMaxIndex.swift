extension Scheme {
    /// 8-bit index between the minimum and the maximum of the whole tensor. Text form: `index8`.
    ///
    /// - Source: SensiMix (Piao et al. 2022).
    public struct MinMaxIndex: Hashable, Sendable {}

    /// 8-bit min/max index per tensor.
    public static let index8 = Scheme.minMaxIndex(MinMaxIndex())
}

extension Scheme.MinMaxIndex: SchemeFamily {
    package var scheme: Scheme { .minMaxIndex(self) }

    package var text: String { "index8" }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        name == "index8" ? Self() : nil
    }

    /// `codes` (rows, columns), `range`: minimum and maximum.
    package func parts(rows: Int, columns: Int) -> [StoredPart] {
        [.signedBytes(rows: rows, columns: columns), StoredPart("range", .float32, [2])]
    }

    package var codeBits: Double { 8 }
    package var grid: IntegerGrid? { IntegerGrid(bits: 8, isSymmetric: false, granularity: .tensor) }
    package var activations: Activations { .rounded(bits: 16) }
}
