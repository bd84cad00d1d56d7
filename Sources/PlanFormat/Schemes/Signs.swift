extension Scheme {
    /// One bit a weight, `+1` if positive, else `-1`; with or without the tensor's mean absolute value as
    /// scale. Inputs are binarized too.
    ///
    /// Text form: `sign[:mean]`.
    /// - Source: SensiMix (Piao et al. 2022); the scale: XNOR-Net (Rastegari et al. 2016).
    public struct Signs: Hashable, Sendable {
        /// Whether signs are scaled by the mean absolute weight.
        public let scaled: Bool
    }

    /// One bit a weight and an input.
    public static func sign(scaled: Bool) -> Scheme { .signs(Signs(scaled: scaled)) }
}

extension Scheme.Signs: SchemeFamily {
    package var scheme: Scheme { .signs(self) }

    package var text: String { scaled ? "sign:mean" : "sign" }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        name == "sign" ? Self(scaled: options.take(word: "mean")) : nil
    }

    /// `signs` (rows, bytes), `scale` where scaled.
    package func parts(rows: Int, columns: Int) -> [StoredPart] {
        [.codes("signs", rows: rows, columns: columns, bits: 1)]
            + (scaled ? [StoredPart("scale", .float32, [1])] : [])
    }

    package var codeBits: Double { 1 }
    package var activations: Activations { .quantized(bits: 1, normalized: false) }
    package var kernel: Scheme { .sign(scaled: false) }

    /// Sums of signs; one multiplication an output by the scale.
    package func operations(rows: Int, columns: Int, tokens: Int) -> [Operations] {
        let sums = Operations.dense(.int8, rows: rows, columns: columns, tokens: tokens).additions
        return [
            Operations(.int8, additions: sums, multiplications: 0),
            Operations(.fp32, additions: 0, multiplications: scaled ? Double(tokens) * Double(rows) : 0),
        ]
    }
}
