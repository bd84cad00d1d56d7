extension Scheme {
    /// Trellis codes: 1 to 4 bits a weight, in half steps, choose a path through 256 levels.
    ///
    /// A column's weights, row after row, read a stream of bits; a weight's level is that of the last 8 bits
    /// read, so a code depends on the codes before it, and a search finds the best path. Two successive
    /// weights read `pairBits` bits, the second one more than the first where that is odd. Every row has a
    /// scale, and where `columnScales` every column another one.
    ///
    /// Text form: `tcq<bits>[:c][:h]`, such as `tcq2` and `tcq2.5`.
    /// - Source: Marcellin and Fischer 1990, "Trellis coded quantization"; Tseng et al. 2024 (QTIP) for
    ///   weights and for windows of a stream that bites its tail.
    public struct TrellisCodes: Hashable, Sendable {
        /// Bits of two successive weights: 2 to 8.
        public let pairBits: Int
        /// Whether columns have scales beside those of rows.
        public let columnScales: Bool
        /// Whether codes are those of W R', R being a Hadamard rotation of the inputs: `y = W^ (R x)`.
        public let rotation: Bool
    }

    /// Trellis codes of `pairBits` bits for two weights.
    public static func trellisCodes(pairBits: Int, columnScales: Bool = false, rotation: Bool = false)
        -> Scheme
    {
        .trellisCodes(TrellisCodes(pairBits: pairBits, columnScales: columnScales, rotation: rotation))
    }

    /// Trellis codes of `bits` bits a weight.
    public static func trellisCodes(bits: Int, columnScales: Bool = false, rotation: Bool = false) -> Scheme {
        .trellisCodes(pairBits: 2 * bits, columnScales: columnScales, rotation: rotation)
    }
}

extension Scheme.TrellisCodes: SchemeFamily {
    /// Bits of a window: a level is one of 2^8.
    package static let windowBits = 8
    /// Rows of a segment, in which every column is a stream of its own.
    package static let segmentRows = 256

    package var scheme: Scheme { .trellisCodes(self) }

    package var text: String {
        "tcq" + Self.bitsText(pairBits) + (columnScales ? ":c" : "") + (rotation ? ":h" : "")
    }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        guard name.hasPrefix("tcq"), let pairBits = pairBits(String(name.dropFirst(3))) else { return nil }
        let columnScales = options.take(word: "c")
        return Self(pairBits: pairBits, columnScales: columnScales, rotation: options.take(word: "h"))
    }

    /// Bits of one weight as text forms have them: `2`, `2.5`.
    static func bitsText(_ pairBits: Int) -> String { "\(pairBits / 2)" + (pairBits % 2 == 1 ? ".5" : "") }

    /// Bits of two weights, 2 to 8, from the text of those of one.
    static func pairBits(_ text: String) -> Int? {
        let isHalf = text.hasSuffix(".5")
        guard let whole = SchemeOptions.digit(isHalf ? String(text.dropLast(2)) : text, after: "") else {
            return nil
        }
        let pairBits = 2 * whole + (isHalf ? 1 : 0)
        return (2...8).contains(pairBits) ? pairBits : nil
    }

    /// `codes` (bytes of all segments' streams, columns): the streams of all columns side by side; `scales`
    /// (rows); `columnScales` (columns) where there are.
    package func parts(rows: Int, columns: Int) -> [StoredPart] {
        [
            StoredPart("codes", .uint8, [segments(rows: rows).last?.bytes.upperBound ?? 0, columns]),
            StoredPart("scales", .float16, [rows]),
        ] + (columnScales ? [StoredPart("columnScales", .float16, [columns])] : [])
    }

    /// A run of rows in which every column is a stream of its own.
    package struct Segment: Hashable, Sendable {
        /// The rows: 256, in the last segment perhaps fewer.
        package let rows: Range<Int>
        /// Where its streams lie among the rows of `codes`: `ceil(bits / 8)` bytes a column, the bits of all
        /// rows being `floor(rows pairBits / 2)`.
        package let bytes: Range<Int>
    }

    /// The segments of a matrix of so many rows.
    package func segments(rows: Int) -> [Segment] {
        stride(from: 0, to: rows, by: Self.segmentRows).map { first in
            let end = min(first + Self.segmentRows, rows)
            let start = first * pairBits / 16
            return Segment(
                rows: first..<end, bytes: start..<start + ceilDivide((end - first) * pairBits / 2, 8))
        }
    }

    package var codeBits: Double { Double(pairBits) / 2 }
    package var hasCalibratedFit: Bool { true }
    package var activations: Activations { .rounded(bits: 16) }
    package var kernel: Scheme { .trellisCodes(pairBits: pairBits, rotation: rotation) }
}
