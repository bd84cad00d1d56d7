extension Scheme {
    /// Trellis codes for an embedding, more bits for frequent rows: each cluster of rows has one bit a weight
    /// less than the one before.
    ///
    /// Text form: `tcq<first>-<last>:r<ratio>`, such as `tcq4-2:r4` and `tcq3.5-1.5:r4`.
    /// - Source: Chung et al. 2020, Algorithm 1, for the clusters; `TrellisCodes` for the codes.
    public struct TrellisClusters: Hashable, Sendable {
        /// Bits of two successive weights in the first cluster, whose rows are the most frequent.
        public let firstPairBits: Int
        /// Bits of two successive weights in the last cluster: less by an even number.
        public let lastPairBits: Int
        /// Each cluster has `ratio` times the rows of the one before.
        public let ratio: Int
    }

    /// Trellis codes for an embedding, from more to fewer bits.
    public static func trellisClusters(firstPairBits: Int, lastPairBits: Int, ratio: Int) -> Scheme {
        .trellisClusters(
            TrellisClusters(firstPairBits: firstPairBits, lastPairBits: lastPairBits, ratio: ratio))
    }
}

extension Scheme.TrellisClusters: RowClusters {
    package var scheme: Scheme { .trellisClusters(self) }

    package var clusters: Int { (firstPairBits - lastPairBits) / 2 + 1 }

    package var text: String {
        let (first, last) = (
            Scheme.TrellisCodes.bitsText(firstPairBits), Scheme.TrellisCodes.bitsText(lastPairBits)
        )
        return "tcq\(first)-\(last):r\(ratio)"
    }

    package static func read(_ name: String, _ options: inout SchemeOptions) -> Self? {
        let ends = name.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, ends[0].hasPrefix("tcq"),
            let first = Scheme.TrellisCodes.pairBits(String(ends[0].dropFirst(3))),
            let last = Scheme.TrellisCodes.pairBits(String(ends[1])), first > last, (first - last) % 2 == 0,
            let ratio = options.take("r")
        else { return nil }
        return Self(firstPairBits: first, lastPairBits: last, ratio: ratio)
    }

    package func codes(of cluster: Int) -> any SchemeFamily {
        Scheme.TrellisCodes(pairBits: firstPairBits - 2 * cluster, columnScales: false, rotation: false)
    }

    package var activations: Activations { .rounded(bits: 16) }
}
