extension Scheme {
    /// Trellis codes: 1 to 4 bits a weight choose a path through 256 levels.
    ///
    /// A column's weights, row after row, read a stream of `bits` bits each; a weight's level is that of the
    /// last 8 bits read, so a code depends on the codes before it, and a search finds the best path. Every
    /// row has a scale, and where `columnScales` every column another one.
    ///
    /// Text form: `tcq<bits>[:c][:h]`.
    /// - Source: Marcellin and Fischer 1990, "Trellis coded quantization"; Tseng et al. 2024 (QTIP) for
    ///   weights and for windows of a stream that bites its tail.
    public struct TrellisCodes: Hashable, Sendable {
        /// Bits of a weight: 1 to 4.
        public let bits: Int
        /// Whether columns have scales beside those of rows.
        public let columnScales: Bool
        /// Whether codes are those of W R', R being a Hadamard rotation of the inputs: `y = W^ (R x)`.
        public let rotation: Bool
    }

    /// Trellis codes of `bits` bits a weight.
    public static func trellisCodes(bits: Int, columnScales: Bool = false, rotation: Bool = false) -> Scheme {
        .trellisCodes(TrellisCodes(bits: bits, columnScales: columnScales, rotation: rotation))
    }
}

extension Scheme.TrellisCodes: SchemeFamily {
    /// Bits of a window: a level is one of 2^8.
    package static let windowBits = 8
    /// Rows of a segment, in which every column is a stream of its own.
    package static let segmentRows = 256

    package var scheme: Scheme { .trellisCodes(self) }

    package var text: String { "tcq\(bits)" + (columnScales ? ":c" : "") + (rotation ? ":h" : "") }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        guard let bits = SchemeOptions.digit(name, after: "tcq"), (1...4).contains(bits) else { return nil }
        let columnScales = options.take(word: "c")
        return Self(bits: bits, columnScales: columnScales, rotation: options.take(word: "h"))
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
        /// Where its streams lie among the rows of `codes`: `ceil(rows bits / 8)` bytes a column.
        package let bytes: Range<Int>
    }

    /// The segments of a matrix of so many rows.
    package func segments(rows: Int) -> [Segment] {
        stride(from: 0, to: rows, by: Self.segmentRows).map { first in
            let end = min(first + Self.segmentRows, rows)
            let start = first * bits / 8
            return Segment(rows: first..<end, bytes: start..<start + ceilDivide((end - first) * bits, 8))
        }
    }

    package var codeBits: Double { Double(bits) }
    package var hasCalibratedFit: Bool { true }
    package var activations: Activations { .rounded(bits: 16) }
    package var kernel: Scheme { .trellisCodes(bits: bits, rotation: rotation) }
}
