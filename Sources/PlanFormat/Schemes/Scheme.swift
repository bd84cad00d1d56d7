/// What the weights of a sublayer become: a storage format, apart from how its codes are fitted (`CodeFit`).
///
/// A scheme is pure data: one case for each family of schemes, whose description (`SchemeFamily`) says
/// everything that others have to know of it. Its text form (`bcq3`, `int4:g64`, `nf4:dq`) is what plans and
/// the command line show; its exact size is a function of the shape alone (`sizeInBytes(rows:columns:)`) and
/// equals the bytes on disk.
public enum Scheme: Hashable, Sendable {
    /// Weights as they are: `fp32`, `fp16`.
    case fullPrecision(FullPrecision)
    /// Sums of signs with real coefficients, alphas: `bcq3`.
    case binaryCodes(BinaryCodes)
    /// Binary codes for an embedding, more bits for frequent rows: `emb4:r2`.
    case clusteredCodes(ClusteredCodes)
    /// Integers on a uniform grid: `int4:g64`.
    case integers(Integers)
    /// The sixteen NormalFloat levels: `nf4`.
    case normalFloat(NormalFloat)
    /// Subvectors from a code book: `pq:b8:k256`.
    case productCodes(ProductCodes)
    /// Paths through 256 levels: `tcq2`.
    case trellisCodes(TrellisCodes)
    /// Trellis codes for an embedding, more bits for frequent rows: `tcq4-2:r4`.
    case trellisClusters(TrellisClusters)
    /// 8-bit index between minimum and maximum: `index8`.
    case minMaxIndex(MinMaxIndex)
    /// One bit a weight and an input: `sign`.
    case signs(Signs)
    /// Centred signs, 8-bit activations: `bitlinear`.
    case bitLinear(BitLinear)
    /// 8-bit weights and activations: `w8a8`.
    case w8a8(W8A8)

    /// All families: the types of the descriptions above.
    package static var families: [any SchemeFamily.Type] {
        [
            FullPrecision.self, BinaryCodes.self, ClusteredCodes.self, Integers.self, NormalFloat.self,
            ProductCodes.self, TrellisCodes.self, TrellisClusters.self, MinMaxIndex.self, Signs.self,
            BitLinear.self, W8A8.self,
        ]
    }

    /// The description of this scheme: stored parts and traits.
    package var family: any SchemeFamily {
        switch self {
        case .fullPrecision(let family): family
        case .binaryCodes(let family): family
        case .clusteredCodes(let family): family
        case .integers(let family): family
        case .normalFloat(let family): family
        case .productCodes(let family): family
        case .trellisCodes(let family): family
        case .trellisClusters(let family): family
        case .minMaxIndex(let family): family
        case .signs(let family): family
        case .bitLinear(let family): family
        case .w8a8(let family): family
        }
    }

    /// What shares one scale.
    public enum Granularity: Hashable, Sendable {
        /// The whole tensor.
        case tensor
        /// A row.
        case row
        /// Runs of `columns` consecutive columns inside a row; the last may be shorter.
        case group(Int)
    }

    /// How a real number is stored.
    public enum FloatType: String, Hashable, Sendable, Codable {
        case fp32, fp16

        /// Bytes of one number.
        public var sizeInBytes: Int { elementType.sizeInBytes }

        /// The element type in files.
        package var elementType: ElementType { self == .fp32 ? .float32 : .float16 }
    }
}

extension Scheme {
    /// The exact bytes of a matrix of this shape, scales and code books included: what lies on disk, the sum
    /// of the parts.
    ///
    /// - Shapes: a matrix of (`rows`, `columns`), `rows` being output channels or tokens.
    public func sizeInBytes(rows: Int, columns: Int) -> Int {
        parts(rows: rows, columns: columns).reduce(0) { $0 + $1.sizeInBytes }
    }

    /// The stored parts of a (`rows`, `columns`) matrix, in the order in which they lie in a file.
    package func parts(rows: Int, columns: Int) -> [StoredPart] { family.parts(rows: rows, columns: columns) }

    /// Bits of one weight's code, without scales and code books; the average where rows differ.
    package var codeBits: Double { family.codeBits }

    /// Whether weights stay real numbers: FP32 or FP16.
    package var isFullPrecision: Bool { family is FullPrecision }

    /// Whether activations are quantized too, so that the decoded weights are not all of it.
    package var changesActivations: Bool { family.activations.quantizedBits != nil }

    /// The scheme that stands for all that run the same instructions on as many bytes of codes: what a
    /// kernel's times are measured with.
    package var kernel: Scheme { family.kernel }

    /// Whether encoding needs text: for the frequencies of tokens, or for what the layers see.
    package func needsText(_ fit: CodeFit) -> Bool {
        family.usesRowFrequencies || fit.isCalibrated && family.hasCalibratedFit
    }
}
