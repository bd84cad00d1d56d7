extension Scheme {
    /// The sixteen NormalFloat levels, blocks of consecutive weights (row-major) sharing their largest
    /// absolute value.
    ///
    /// Text form: `nf4[:b<block>][:dq]`.
    /// - Source: QLoRA (Dettmers et al. 2023), section 3.
    public struct NormalFloat: Hashable, Sendable {
        /// Weights that share a scale; 64 unless the text form says another.
        public let block: Int
        /// Whether the scales are quantized to 8 bits, 256 of them sharing a scale.
        public let doubleQuantization: Bool
    }

    /// The sixteen NormalFloat levels with one scale a block.
    public static func normalFloat4(block: Int, doubleQuantization: Bool) -> Scheme {
        .normalFloat(NormalFloat(block: block, doubleQuantization: doubleQuantization))
    }
}

extension Scheme.NormalFloat: SchemeFamily {
    /// Scales that share a scale under double quantization.
    package static let scalesPerScale = 256

    package var scheme: Scheme { .normalFloat(self) }

    package var text: String {
        "nf4" + (block == 64 ? "" : ":b\(block)") + (doubleQuantization ? ":dq" : "")
    }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        guard name == "nf4" else { return nil }
        let block = options.take("b") ?? 64
        return Self(block: block, doubleQuantization: options.take(word: "dq"))
    }

    /// `codes` (bytes), `scales` (blocks); double quantization adds `scaleScales`, `scaleMean`.
    package func parts(rows: Int, columns: Int) -> [StoredPart] {
        let blocks = ceilDivide(rows * columns, block)
        let codes = StoredPart(
            "codes", .uint8, [ceilDivide(rows * columns, 2)],
            order: isInterleaved(columns: columns)
                ? .interleaved(planes: 1, rows: rows, rowBytes: columns / 2) : .rowMajor)
        guard doubleQuantization else { return [codes, StoredPart("scales", .float32, [blocks])] }
        return [
            codes, StoredPart("scales", .int8, [blocks]),
            StoredPart("scaleScales", .float32, [ceilDivide(blocks, Self.scalesPerScale)]),
            StoredPart("scaleMean", .float32, [1]),
        ]
    }

    /// Whether rows of this many columns are stored interleaved: they are whole blocks, and blocks whole
    /// vectors.
    package func isInterleaved(columns: Int) -> Bool { block % 32 == 0 && columns % block == 0 }

    package var codeBits: Double { 4 }
    package var activations: Activations { .rounded(bits: 13) }
    package var columnsPerScale: Int? { block }
    package var hasCalibratedFit: Bool { true }
    package var kernel: Scheme { .normalFloat4(block: block, doubleQuantization: false) }
}
