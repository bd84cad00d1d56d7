/// Rows of an embedding in clusters by falling frequency, each with codes of its own: frequent rows get more
/// bits.
///
/// An embedding's rows are used unequally, the more so the larger its vocabulary. Where row r is used p_r of
/// the time and its codes have k_r bits, its share of the loss is about `p_r 4^-k_r`, which at a given size
/// is least where four times the uses get one bit more.
package protocol RowClusters: SchemeFamily {
    /// Clusters of rows.
    var clusters: Int { get }
    /// Each cluster has `ratio` times the rows of the one before.
    var ratio: Int { get }
    /// The codes of a cluster, the most frequent rows' being 0.
    func codes(of cluster: Int) -> any SchemeFamily
}

extension RowClusters {
    /// `cluster` (rows): the cluster of each token; then the parts of cluster i's codes, `.<i>` behind their
    /// names.
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

    /// The number of rows of each frequency cluster, most frequent first: cluster i has `v r^i / sum_k r^k`
    /// rows.
    ///
    /// The paper does not say how the sizes are rounded: here the cumulative boundaries are rounded to
    /// nearest, so the sizes sum to `rows`.
    /// - Source: Chung et al. 2020, Algorithm 1.
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
        let bits = weights.indices.reduce(0.0) { $0 + weights[$1] * codes(of: $1).codeBits }
        return bits / weights.reduce(0, +)
    }

    package var hasCalibratedFit: Bool { true }
    package var usesRowFrequencies: Bool { true }

    package func operations(rows: Int, columns: Int, tokens: Int) -> [Operations] {
        sizes(rows: rows).enumerated().flatMap {
            codes(of: $0.offset).operations(rows: $0.element, columns: columns, tokens: tokens)
        }
    }
}
