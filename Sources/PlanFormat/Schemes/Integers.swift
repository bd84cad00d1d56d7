extension Scheme {
    /// Integers of 2 to 8 bits on a uniform grid, rounded to nearest.
    ///
    /// Text form: `int<bits>[:tensor|:g<columns>][:asym][:fp16]`.
    /// - Source: QuantNoise (Stock, Fan et al. 2020), section 2.
    public struct Integers: Hashable, Sendable {
        /// Bits of a code: 2 to 8.
        public let bits: Int
        /// Whether the zero point is the middle code; else it is stored beside the scale.
        public let symmetric: Bool
        /// What shares a scale.
        public let granularity: Granularity
        /// How scales are stored.
        public let scales: FloatType
    }

    /// Integers on a uniform grid.
    public static func integer(
        bits: Int, symmetric: Bool, granularity: Granularity, scales: FloatType
    ) -> Scheme {
        .integers(Integers(bits: bits, symmetric: symmetric, granularity: granularity, scales: scales))
    }
}

extension Scheme.Integers: SchemeFamily {
    package var scheme: Scheme { .integers(self) }

    package var text: String {
        let unit =
            switch granularity {
            case .tensor: ":tensor"
            case .row: ""
            case .group(let columns): ":g\(columns)"
            }
        return "int\(bits)" + unit + (symmetric ? "" : ":asym") + (scales == .fp16 ? ":fp16" : "")
    }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        guard let bits = SchemeOptions.digit(name, after: "int"), (2...8).contains(bits) else { return nil }
        let granularity: Scheme.Granularity =
            options.take(word: "tensor") ? .tensor : options.take("g").map { .group($0) } ?? .row
        let symmetric = !options.take(word: "asym")
        return Self(
            bits: bits, symmetric: symmetric, granularity: granularity, scales: options.takeFloatType())
    }

    /// `codes` (rows, bytes), `scales` (units), `zeroPoints` (units) where asymmetric.
    package func parts(rows: Int, columns: Int) -> [StoredPart] {
        let units = granularity == .tensor ? 1 : rows * unitsPerRow(columns: columns)
        return [
            .codes(rows: rows, columns: columns, bits: bits),
            StoredPart("scales", scales.elementType, [units]),
        ] + (symmetric ? [] : [StoredPart("zeroPoints", scales.elementType, [units])])
    }

    /// Units inside a row, each with a scale; 1 where rows or the whole tensor share one.
    package func unitsPerRow(columns: Int) -> Int { columnsPerScale.map { ceilDivide(columns, $0) } ?? 1 }

    package var columnsPerScale: Int? {
        if case .group(let columns) = granularity { return columns }
        return nil
    }

    package var codeBits: Double { Double(bits) }
    package var grid: IntegerGrid? {
        IntegerGrid(bits: bits, isSymmetric: symmetric, granularity: granularity)
    }
    package var activations: Activations { .rounded(bits: 16) }
    package var hasCalibratedFit: Bool { true }
    package var kernel: Scheme {
        .integer(
            bits: bits, symmetric: symmetric, granularity: columnsPerScale.map { .group($0) } ?? .row,
            scales: .fp32)
    }
}
