/// Repeated measurements of one thing, in seconds.
package struct Timing: Codable, Hashable, Sendable {
    /// The median.
    package let median: Double
    /// A quarter of the measurements are at most this.
    package let lowerQuartile: Double
    /// A quarter of the measurements are at least this.
    package let upperQuartile: Double

    /// The median and quartiles of `seconds`, which must not be empty.
    package init(_ seconds: [Double]) {
        precondition(!seconds.isEmpty, "a median of nothing")
        let sorted = seconds.sorted()
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        lowerQuartile = sorted[sorted.count / 4]
        upperQuartile = sorted[sorted.count * 3 / 4]
    }

    /// Half the distance of the quartiles, as a part of the median.
    package var spread: Double { median > 0 ? (upperQuartile - lowerQuartile) / (2 * median) : 0 }
}
