extension Scheme {
    /// Subvectors of `block` columns replaced by one of `centroids` codewords, which the whole matrix shares.
    ///
    /// Text form: `pq:b<block>:k<centroids>[:int8][:a8]`.
    /// - Source: QuantNoise (Stock, Fan et al. 2020), section 2.
    public struct ProductCodes: Hashable, Sendable {
        /// Columns of a subvector.
        public let block: Int
        /// Codewords: 2 to 256.
        public let centroids: Int
        /// How codewords are stored.
        public let storage: CentroidType
        /// Whether activations are rounded to 8 bits, with a scale a token.
        public let roundsActivations: Bool
    }

    /// How the codewords of product codes are stored.
    public enum CentroidType: String, Hashable, Sendable, Codable {
        case fp16, int8
    }

    /// Subvectors replaced by one of `centroids` codewords.
    public static func productCodes(
        block: Int, centroids: Int, storage: CentroidType, roundsActivations: Bool = false
    ) -> Scheme {
        .productCodes(
            ProductCodes(
                block: block, centroids: centroids, storage: storage, roundsActivations: roundsActivations))
    }
}

extension Scheme.ProductCodes: SchemeFamily {
    package var scheme: Scheme { .productCodes(self) }

    package var text: String {
        "pq:b\(block):k\(centroids)" + (storage == .int8 ? ":int8" : "") + (roundsActivations ? ":a8" : "")
    }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        guard name == "pq", let block = options.take("b"), let centroids = options.take("k"),
            (2...256).contains(centroids)
        else { return nil }
        return Self(
            block: block, centroids: centroids, storage: options.take(word: "int8") ? .int8 : .fp16,
            roundsActivations: options.take(word: "a8"))
    }

    /// `indices` (bytes), `centroids` (centroids, block), `centroidScale` where INT8.
    package func parts(rows: Int, columns: Int) -> [StoredPart] {
        let indices = rows * subvectors(columns: columns)
        return [
            StoredPart(
                "indices", .uint8, [ceilDivide(indices * indexBits, 8)],
                values: .indices(bits: indexBits, count: centroids)),
            StoredPart("centroids", storage == .fp16 ? .float16 : .int8, [centroids, block]),
        ] + (storage == .int8 ? [StoredPart("centroidScale", .float32, [1])] : [])
    }

    /// Subvectors of a row; a last one that is cut short is padded with zeros.
    package func subvectors(columns: Int) -> Int { ceilDivide(columns, block) }

    /// Bits of an index: `ceil(log2(centroids))`, at least 1.
    package var indexBits: Int { max(1, Int.bitWidth - (centroids - 1).leadingZeroBitCount) }

    package var codeBits: Double { Double(indexBits) / Double(block) }
    package var activations: Activations {
        roundsActivations ? .quantized(bits: 8, normalized: false) : .fp32
    }
    package var kernel: Scheme { .productCodes(block: block, centroids: centroids, storage: .fp16) }
}
