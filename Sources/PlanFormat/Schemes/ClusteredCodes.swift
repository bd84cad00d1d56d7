extension Scheme {
    /// Binary codes for an embedding, more bits for frequent rows: cluster i of b has b - i bits.
    ///
    /// Text form: `emb<clusters>:r<ratio>[:fp16]`.
    /// - Source: Chung et al. 2020, Algorithm 1.
    public struct ClusteredCodes: Hashable, Sendable {
        /// Clusters of rows, and the bits of the first: 1 to 8.
        public let clusters: Int
        /// Each cluster has `ratio` times the rows of the one before.
        public let ratio: Int
        /// How alphas are stored.
        public let alphas: FloatType
    }

    /// Binary codes for an embedding, more bits for frequent rows.
    public static func clusteredCodes(clusters: Int, ratio: Int, alphas: FloatType) -> Scheme {
        .clusteredCodes(ClusteredCodes(clusters: clusters, ratio: ratio, alphas: alphas))
    }
}

extension Scheme.ClusteredCodes: SchemeFamily {
    package var scheme: Scheme { .clusteredCodes(self) }

    package var text: String { "emb\(clusters):r\(ratio)" + (alphas == .fp16 ? ":fp16" : "") }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        guard let clusters = SchemeOptions.digit(name, after: "emb"), (1...8).contains(clusters),
            let ratio = options.take("r")
        else { return nil }
        return Self(clusters: clusters, ratio: ratio, alphas: options.takeFloatType())
    }

    /// `cluster` (rows): the cluster of each token; `signs.<i>`, `alphas.<i>` of cluster i, as binary codes
    /// have them.
    ///
    /// Inside a cluster the rows keep their order.
    package func parts(rows: Int, columns: Int) -> [StoredPart] {
        let sizes = sizes(rows: rows)
        let members = StoredPart("cluster", .uint8, [rows], values: .classes(sizes: sizes))
        return [members]
            + sizes.indices.flatMap { index in
                codes(of: index).parts(rows: sizes[index], columns: columns).map {
                    StoredPart("\($0.name).\(index)", $0.type, $0.shape, order: $0.order)
                }
            }
    }

    /// The binary codes of a cluster.
    package func codes(of cluster: Int) -> Scheme.BinaryCodes {
        Scheme.BinaryCodes(bits: clusters - cluster, group: nil, alphas: alphas)
    }

    /// The number of rows of each frequency cluster, most frequent first: cluster i has `v r^i / sum_k r^k`
    /// rows.
    ///
    /// The paper does not say how the sizes are rounded: here the cumulative boundaries are rounded to
    /// nearest, so the sizes sum to `rows`.
    package func sizes(rows: Int) -> [Int] {
        let weights = weights
        let total = weights.reduce(0, +)
        var sizes: [Int] = []
        var cumulative = 0.0
        var taken = 0
        for weight in weights {
            cumulative += weight
            let boundary = Int((Double(rows) * cumulative / total).rounded())
            sizes.append(boundary - taken)
            taken = boundary
        }
        return sizes
    }

    /// `r^i` for each cluster i.
    private var weights: [Double] {
        var weight = 1.0
        return (0..<clusters).map { _ in
            defer { weight *= Double(ratio) }
            return weight
        }
    }

    package var codeBits: Double {
        let weights = weights
        let bits = weights.indices.reduce(0.0) { $0 + weights[$1] * Double(clusters - $1) }
        return bits / weights.reduce(0, +)
    }

    package var activations: Activations { .rounded(bits: 14) }
    package var hasCalibratedFit: Bool { true }
    package var usesRowFrequencies: Bool { true }
    package var kernel: Scheme { .clusteredCodes(clusters: clusters, ratio: ratio, alphas: .fp32) }

    package func operations(rows: Int, columns: Int, tokens: Int) -> [Operations] {
        sizes(rows: rows).enumerated().flatMap {
            codes(of: $0.offset).operations(rows: $0.element, columns: columns, tokens: tokens)
        }
    }
}
