import Foundation
import PlanFormat

/// The seconds of products of one scheme at any shape, between and beyond the measured ones.
///
/// Linear between the points of the grid in rows, columns and tokens (a product's time is close to such a
/// function), and beyond it with the slope of the last two; in the logarithm of the working set, of which
/// nothing is extrapolated.
struct KernelTable: Sendable {
    private let rows: [Int]
    private let columns: [Int]
    private let tokens: [Int]
    private let points: [Key: [LatencyProfile.KernelPoint]]
    private let lookups: [LatencyProfile.LookupPoint]

    private struct Key: Hashable {
        let rows: Int
        let columns: Int
        let tokens: Int
    }

    /// - Throws: `LatencyError.badPoint` where points are not a full grid of possible numbers.
    init(_ times: LatencyProfile.KernelTimes) throws(LatencyError) {
        rows = Set(times.points.map(\.rows)).sorted()
        columns = Set(times.points.map(\.columns)).sorted()
        tokens = Set(times.points.map(\.tokens)).sorted()
        lookups = times.lookups.sorted { $0.columns < $1.columns }
        guard !lookups.isEmpty,
            lookups.allSatisfy({ $0.columns > 0 && $0.seconds > 0 && $0.seconds.isFinite })
        else { throw .badPoint(times.scheme, "no seconds of look-ups") }
        for point in times.points {
            guard point.seconds > 0, point.seconds.isFinite, point.rows > 0, point.columns > 0,
                point.tokens > 0, point.workingSetBytes > 0, point.preparationSeconds >= 0,
                point.preparationSeconds <= point.seconds
            else {
                throw .badPoint(times.scheme, "\(point.seconds) s for \(point.rows) x \(point.columns)")
            }
        }
        points = Dictionary(grouping: times.points) {
            Key(rows: $0.rows, columns: $0.columns, tokens: $0.tokens)
        }.mapValues { $0.sorted { $0.workingSetBytes < $1.workingSetBytes } }
        guard !points.isEmpty, points.count == rows.count * columns.count * tokens.count else {
            throw .badPoint(
                times.scheme,
                "expected a grid of \(rows.count) x \(columns.count) x \(tokens.count) shapes, got \(points.count)"
            )
        }
    }

    /// Seconds of one product, and of the preparation in it.
    func seconds(
        rows: Int, columns: Int, tokens: Int, workingSetBytes: Int
    ) -> (product: Double, preparation: Double) {
        let (r, c, t) = (
            place(rows, in: self.rows), place(columns, in: self.columns), place(tokens, in: self.tokens)
        )
        func interpolated(_ value: (LatencyProfile.KernelPoint) -> Double) -> Double {
            var sum = 0.0
            for (row, rowWeight) in r {
                for (column, columnWeight) in c {
                    for (token, tokenWeight) in t {
                        let measured = points[Key(rows: row, columns: column, tokens: token)] ?? []
                        sum +=
                            rowWeight * columnWeight * tokenWeight
                            * atWorkingSet(workingSetBytes, measured, value)
                    }
                }
            }
            return sum
        }
        // Below the smallest shapes lines may lead to nothing: a product takes at least its part of the
        // smallest time.
        let smallest = points[Key(rows: self.rows[0], columns: self.columns[0], tokens: self.tokens[0])]
        let part =
            min(1, Double(rows) / Double(self.rows[0])) * min(1, Double(columns) / Double(self.columns[0]))
        let least = part * (smallest?.first?.seconds ?? 0)
        let product = max(least, interpolated(\.seconds))
        return (product, min(product, max(0, interpolated(\.preparationSeconds))))
    }

    /// Seconds of decoding one row.
    func lookupSeconds(columns: Int) -> Double {
        let sum = place(columns, in: lookups.map(\.columns)).reduce(0.0) { sum, part in
            sum + part.1 * (lookups.first { $0.columns == part.0 }?.seconds ?? 0)
        }
        return max(0, sum)
    }

    /// The points around a value with their weights, which add up to 1.
    private func place(_ value: Int, in axis: [Int]) -> [(Int, Double)] {
        guard axis.count > 1 else { return [(axis[0], 1)] }
        let upper = min(max(1, axis.firstIndex { $0 >= value } ?? axis.count), axis.count - 1)
        let (low, high) = (axis[upper - 1], axis[upper])
        let weight = Double(value - low) / Double(high - low)
        return [(low, 1 - weight), (high, weight)]
    }

    private func atWorkingSet(
        _ bytes: Int, _ measured: [LatencyProfile.KernelPoint],
        _ value: (LatencyProfile.KernelPoint) -> Double
    ) -> Double {
        guard let first = measured.first, let last = measured.last else { return 0 }
        guard bytes > first.workingSetBytes else { return value(first) }
        guard let upper = measured.firstIndex(where: { $0.workingSetBytes >= bytes }) else {
            return value(last)
        }
        let (low, high) = (measured[upper - 1], measured[upper])
        let weight =
            log(Double(bytes) / Double(low.workingSetBytes))
            / log(Double(high.workingSetBytes) / Double(low.workingSetBytes))
        return (1 - weight) * value(low) + weight * value(high)
    }
}
