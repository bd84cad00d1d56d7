/// Correlation of two series, as scipy defines it.
///
/// Where scipy returns NaN, these return nil: a constant series (the coefficient is 0/0), or NaN among the
/// values. Both throw `MetricError.lengthMismatch`, and `.tooFewSamples` below two samples.
package enum Correlation {
    /// Pearson's r, -1 to 1; nil where a series is constant or a value is not finite.
    ///
    /// - Complexity: O(n).
    package static func pearson(_ x: [Double], _ y: [Double]) throws(MetricError) -> Double? {
        try require("Pearson correlation", x, y)
        return coefficient(x, y)
    }

    /// Spearman's rho: Pearson's r of the ranks, ties given their average rank; nil where a series is
    /// constant or has NaN.
    ///
    /// - Complexity: O(n log n).
    package static func spearman(_ x: [Double], _ y: [Double]) throws(MetricError) -> Double? {
        try require("Spearman correlation", x, y)
        guard !x.contains(where: \.isNaN), !y.contains(where: \.isNaN) else { return nil }
        return coefficient(averageRanks(x), averageRanks(y))
    }

    /// Ranks from 1 in ascending order; equal values share the mean of the ranks they take up. NaN ranks
    /// nowhere in particular.
    ///
    /// - Complexity: O(n log n).
    package static func averageRanks(_ values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = [Double](repeating: 0, count: values.count)
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
            for index in order[start..<end] { ranks[index] = Double(start + 1 + end) / 2 }
            start = end
        }
        return ranks
    }

    private static func coefficient(_ x: [Double], _ y: [Double]) -> Double? {
        guard let x = standardized(x), let y = standardized(y) else { return nil }
        let r = max(-1, min(1, zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }))
        return x.count == 2 ? r.rounded() : r
    }

    /// The deviations from the mean, scaled to a length of 1.
    private static func standardized(_ values: [Double]) -> [Double]? {
        // Not `norm == 0`: the mean of equal values may be rounded away from them.
        guard values.contains(where: { $0 != values[0] }) else { return nil }
        let mean = values.reduce(0, +) / Double(values.count)
        let deviations = values.map { $0 - mean }
        // Scaled first, so that the squares of large deviations do not overflow.
        let largest = deviations.reduce(0) { max($0, abs($1)) }
        let norm = largest * deviations.reduce(0) { $0 + ($1 / largest) * ($1 / largest) }.squareRoot()
        guard norm.isFinite, norm > 0 else { return nil }
        return deviations.map { $0 / norm }
    }

    private static func require(_ metric: String, _ x: [Double], _ y: [Double]) throws(MetricError) {
        try MetricError.requireEqualCounts("the first series", x.count, "the second", y.count)
        try MetricError.requireSamples(metric, x.count, atLeast: 2)
    }
}
