extension Scheme {
    /// The exact bytes of a matrix of this shape, scales and code books included: what lies on disk.
    ///
    /// - Shapes: a matrix of (`rows`, `columns`), `rows` being output channels or tokens.
    /// - Source: Chung et al. 2020, section 3.1, for binary codes: `k n n + 32 k n` bits.
    public func sizeInBytes(rows: Int, columns: Int) -> Int {
        switch self {
        case .full(let type):
            return rows * columns * type.sizeInBytes
        case .binaryCodes(let bits, let group, let alphas):
            let groups = group.map { ceilDivide(columns, $0) } ?? 1
            return bits * rows * (ceilDivide(columns, 8) + alphas.sizeInBytes * groups)
        case .clusteredCodes(let clusters, let ratio, let alphas):
            let planes = Scheme.clusterSizes(rows: rows, clusters: clusters, ratio: ratio).enumerated()
                .reduce(0) { $0 + $1.element * (clusters - $1.offset) }
            // One byte a row says which cluster it is in; inside a cluster the rows keep their order.
            return planes * (ceilDivide(columns, 8) + alphas.sizeInBytes) + rows
        case .integer(let bits, let symmetric, let granularity, let scales):
            let units: Int
            switch granularity {
            case .tensor: units = 1
            case .row: units = rows
            case .group(let width): units = rows * ceilDivide(columns, width)
            }
            // Asymmetric grids store their zero point beside the scale.
            return rows * ceilDivide(columns * bits, 8) + units * scales.sizeInBytes * (symmetric ? 1 : 2)
        case .normalFloat4(let block, let doubleQuantization):
            let blocks = ceilDivide(rows * columns, block)
            let codes = ceilDivide(rows * columns, 2)
            return doubleQuantization ? codes + blocks + 4 * ceilDivide(blocks, 256) + 4 : codes + 4 * blocks
        case .productCodes(let block, let centroids, let storage):
            // One index per subvector; a last subvector that is cut short is padded with zeros.
            let indices = rows * ceilDivide(columns, block)
            let book = centroids * block * (storage == .fp16 ? 2 : 1) + (storage == .int8 ? 4 : 0)
            return ceilDivide(indices * Scheme.indexBits(centroids), 8) + book
        case .index8: return rows * columns + 8
        case .sign(let scaled): return rows * ceilDivide(columns, 8) + (scaled ? 4 : 0)
        case .bitLinear(let groups): return rows * ceilDivide(columns, 8) + 4 * groups
        case .integer8Activations: return rows * columns + 4 * rows
        }
    }

    /// Bits of an index into `centroids` codewords.
    static func indexBits(_ centroids: Int) -> Int {
        centroids <= 1 ? 1 : Int.bitWidth - (centroids - 1).leadingZeroBitCount
    }

    /// The number of rows of each frequency cluster, most frequent first: cluster i has `v r^i / sum_k r^k` rows.
    ///
    /// The paper does not say how the sizes are rounded: here the cumulative boundaries are rounded to nearest, so the sizes
    /// sum to `rows`.
    /// - Source: Chung et al. 2020, Algorithm 1.
    public static func clusterSizes(rows: Int, clusters: Int, ratio: Int) -> [Int] {
        var weight = 1.0
        var weights: [Double] = []
        for _ in 0..<clusters {
            weights.append(weight)
            weight *= Double(ratio)
        }
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
}

func ceilDivide(_ value: Int, _ divisor: Int) -> Int { (value + divisor - 1) / divisor }
