/// A family of schemes, described once: its text form, its stored parts, and the traits that others ask for.
///
/// Sizes, readers, writers, kernels, prices, exports, benches and the laws in the tests take what they know
/// of a scheme from here. Only the family's encoder (a folder of `Sources/Quantizers`) and its kernel
/// (`Sources/Kernels`) know more: what the codes mean.
package protocol SchemeFamily: Hashable, Sendable {
    /// The scheme with this description.
    var scheme: Scheme { get }

    /// The text form: a name, then options after colons.
    var text: String { get }

    /// Reads the text form: the name, and of the options behind it those that the family has.
    ///
    /// - Returns: nil where the name is another family's, or an option that has to be there is missing.
    static func read(_ name: String, _ options: inout SchemeOptions) -> Self?

    /// The stored parts of a (`rows`, `columns`) matrix, in the order in which they lie in a file.
    func parts(rows: Int, columns: Int) -> [StoredPart]

    /// Bits of one weight's code, without scales and code books; the average where rows differ.
    var codeBits: Double { get }

    /// The evenly spaced values that weights are rounded to; nil where values are not evenly spaced.
    var grid: IntegerGrid? { get }

    /// Consecutive weights that share a scale, where they are fewer than a row; nil where a row or more does.
    var columnsPerScale: Int? { get }

    /// How a product takes its activations.
    var activations: Activations { get }

    /// Whether `CodeFit.calibrated` differs from the other fits: whether codes can be fitted to what the
    /// layer sees.
    var hasCalibratedFit: Bool { get }

    /// Whether encoding asks how often each row occurs in text.
    var usesRowFrequencies: Bool { get }

    /// The scheme that stands for all of the family that run the same instructions on as many bytes of codes:
    /// how scales are stored does not matter, for they are read once.
    var kernel: Scheme { get }

    /// The arithmetic of a product of (tokens, columns) activations with a (rows, columns) matrix.
    func operations(rows: Int, columns: Int, tokens: Int) -> [Operations]
}

/// What holds for most families.
extension SchemeFamily {
    package var grid: IntegerGrid? { nil }
    package var columnsPerScale: Int? { nil }
    package var activations: Activations { .fp32 }
    package var hasCalibratedFit: Bool { false }
    package var usesRowFrequencies: Bool { false }
    package var kernel: Scheme { scheme }

    /// Schemes that only store weights in few bits compute as FP32 does.
    package func operations(rows: Int, columns: Int, tokens: Int) -> [Operations] {
        [.dense(.fp32, rows: rows, columns: columns, tokens: tokens)]
    }
}

/// The evenly spaced values of a uniform grid: `scale * (code - zeroPoint)`.
package struct IntegerGrid: Hashable, Sendable {
    /// Bits of a code.
    package let bits: Int
    /// Whether the zero point is the middle code; else it is stored.
    package let isSymmetric: Bool
    /// What shares a scale and a zero point.
    package let granularity: Scheme.Granularity
}

/// How a product takes its activations.
package enum Activations: Hashable, Sendable {
    /// As they are.
    case fp32
    /// Rounded by the kernel to so many bits, for integer sums: closer than the weights are.
    case rounded(bits: Int)
    /// Quantized to so many bits by the scheme's definition, behind a LayerNorm without parameters where
    /// `normalized`: the scheme is more than its decoded weights.
    case quantized(bits: Int, normalized: Bool)

    /// Bits that the scheme quantizes them to; nil where it leaves them as they are, up to rounding.
    package var quantizedBits: Int? {
        if case .quantized(let bits, _) = self { return bits }
        return nil
    }
}

/// Additions and multiplications of one kind of number.
package struct Operations: Hashable, Sendable {
    /// What is added and multiplied.
    package enum Number: Hashable, Sendable { case fp32, fp16, int8 }

    /// The kind of number.
    package let number: Number
    /// How many additions.
    package let additions: Double
    /// How many multiplications.
    package let multiplications: Double

    /// So many operations.
    package init(_ number: Number, additions: Double, multiplications: Double) {
        self.number = number
        self.additions = additions
        self.multiplications = multiplications
    }

    /// The operations of a product of dense matrices: `m (n - 1) p` additions and `m n p` multiplications for
    /// m tokens, n columns and p rows.
    static func dense(_ number: Number, rows: Int, columns: Int, tokens: Int) -> Operations {
        let (m, n, p) = (Double(tokens), Double(columns), Double(rows))
        return Operations(number, additions: m * (n - 1) * p, multiplications: m * n * p)
    }

    /// What quantized activations add to a product: inputs are scaled to be rounded, outputs are scaled back.
    static func scaling(rows: Int, columns: Int, tokens: Int) -> Operations {
        let (m, n, p) = (Double(tokens), Double(columns), Double(rows))
        return Operations(.fp32, additions: 0, multiplications: m * p + m * n)
    }
}
