import BitplanTensors

/// Scales below the one that the largest weight asks for: at few levels, clipping it costs less than a coarse
/// step.
enum ScaleSearch {
    private static let shrinks: [Float] = [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5]

    /// The scale of each unit of a one-plane grid whose nearest values have the least squared error.
    ///
    /// - Complexity: O(weights * log(levels)) for each of 11 scales.
    static func coefficients(_ grid: CodeGrid, weights: Matrix, threads: Int?) -> [Float] {
        let middles = zip(grid.table, grid.table.dropFirst()).map { ($0 + $1) / 2 }
        let units = grid.units
        var found = grid.coefficients
        found.withUnsafeMutableBufferPointer { found in
            nonisolated(unsafe) let found = found
            weights.storage.withUnsafeBufferPointer { weights in
                middles.withUnsafeBufferPointer { middles in
                    grid.table.withUnsafeBufferPointer { table in
                        forEachRun(rows: grid.rows, threads: threads) { run in
                            for row in run {
                                for unit in 0..<units {
                                    let index = row * units + unit
                                    let start = row * grid.columns + unit * grid.unitWidth
                                    let end = min(start + grid.unitWidth, (row + 1) * grid.columns)
                                    found[index] = best(
                                        UnsafeBufferPointer(rebasing: weights[start..<end]),
                                        scale: grid.coefficients[index], offset: grid.offsets[index],
                                        table: table,
                                        middles: middles)
                                }
                            }
                        }
                    }
                }
            }
        }
        return found
    }

    private static func best(
        _ weights: UnsafeBufferPointer<Float>, scale: Float, offset: Float, table: UnsafeBufferPointer<Float>,
        middles: UnsafeBufferPointer<Float>
    ) -> Float {
        guard scale > 0 else { return scale }
        var best = scale
        var bestError = Float.infinity
        for shrink in shrinks {
            let candidate = scale * shrink
            let inverse = 1 / candidate
            var error: Float = 0
            for weight in weights {
                let target = weight * inverse + offset
                var low = 0
                var length = middles.count
                while length > 0 {
                    let half = length / 2
                    let right = middles[low + half] < target
                    low = right ? low + half + 1 : low
                    length = right ? length - half - 1 : half
                }
                let difference = weight - candidate * (table[low] - offset)
                error += difference * difference
            }
            if error < bestError {
                best = candidate
                bestError = error
            }
        }
        return best
    }
}
