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

extension Scheme.ClusteredCodes: RowClusters {
    package var scheme: Scheme { .clusteredCodes(self) }

    package var text: String { "emb\(clusters):r\(ratio)" + (alphas == .fp16 ? ":fp16" : "") }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        guard let clusters = SchemeOptions.digit(name, after: "emb"), (1...8).contains(clusters),
            let ratio = options.take("r")
        else { return nil }
        return Self(clusters: clusters, ratio: ratio, alphas: options.takeFloatType())
    }

    package func codes(of cluster: Int) -> any SchemeFamily {
        Scheme.BinaryCodes(bits: clusters - cluster, group: nil, alphas: alphas)
    }

    package var activations: Activations { .rounded(bits: 12) }
    package var kernel: Scheme { .clusteredCodes(clusters: clusters, ratio: ratio, alphas: .fp32) }
}
