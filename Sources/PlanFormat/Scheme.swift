/// What the weights of a sublayer become: a storage format, apart from how its codes are fitted (`CodeFit`).
///
/// A scheme is pure data. Its text form (`bcq3`, `int4:g64`, `nf4:dq`) is what plans and the command line show; its exact
/// size is a function of the shape alone (`sizeInBytes(rows:columns:)`) and equals the bytes on disk.
public enum Scheme: Hashable, Sendable {
    /// Full precision: weights as they are.
    case full(FloatType)
    /// Binary codes: a row is `sum_i alpha_i b_i` with `b_i` in {-1, +1}. Source: Guo et al. 2017, Chung et al. 2020.
    case binaryCodes(bits: Int, group: Int?, alphas: FloatType)
    /// Binary codes for an embedding, more bits for frequent rows. Source: Chung et al. 2020, Algorithm 1.
    case clusteredCodes(clusters: Int, ratio: Int, alphas: FloatType)
    /// Integers of 2 to 8 bits on a uniform grid, rounded to nearest.
    case integer(bits: Int, symmetric: Bool, granularity: Granularity, scales: FloatType)
    /// The sixteen NormalFloat levels with one absmax per block. Source: Dettmers et al. 2023.
    case normalFloat4(block: Int, doubleQuantization: Bool)
    /// Subvectors replaced by one of `centroids` codewords. Source: Stock, Fan et al. 2020.
    case productCodes(block: Int, centroids: Int, storage: CentroidType)
    /// 8-bit min/max index per tensor. Source: SensiMix (Piao et al. 2022).
    case index8
    /// One bit a weight, `+1` if positive, else `-1`; with or without the tensor's mean absolute value as scale.
    /// Inputs are binarized too. Source: SensiMix (Piao et al. 2022); scale: XNOR-Net.
    case sign(scaled: Bool)
    /// Centred signs with one scale per group of rows, 8-bit activations behind a parameter-free LayerNorm.
    /// Source: BitNet (Wang et al. 2023).
    case bitLinear(groups: Int)
    /// 8-bit symmetric weights per row and 8-bit activations per token (W8A8).
    case integer8Activations

    /// What shares one scale.
    public enum Granularity: Hashable, Sendable {
        case tensor
        case row
        /// Runs of `columns` consecutive columns inside a row; the last may be shorter.
        case group(Int)
    }

    /// How a real number is stored.
    public enum FloatType: String, Hashable, Sendable, Codable {
        case fp32, fp16

        /// Bytes of one number.
        public var sizeInBytes: Int { self == .fp32 ? 4 : 2 }
    }

    /// How the codewords of product codes are stored.
    public enum CentroidType: String, Hashable, Sendable, Codable {
        case fp16, int8
    }
}

extension Scheme {
    /// Binary codes of `bits` planes per row with FP32 alphas: the scheme of Chung et al. 2020.
    public static func bcq(_ bits: Int) -> Scheme { .binaryCodes(bits: bits, group: nil, alphas: .fp32) }

    /// Weights as FP32: the identity.
    public static let fp32 = Scheme.full(.fp32)
}
