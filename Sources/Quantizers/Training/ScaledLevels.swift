import BitplanTensors
import PlanFormat

/// Levels, and a scale for each run of consecutive weights: `w = scale * level`.
struct ScaledLevels: Sendable {
    /// The level of each weight's code, (rows, columns).
    var levels: Matrix
    /// Where each run ends, row-major; the last at the number of weights.
    let ends: [Int]

    /// Levels whose runs are `width` columns of a row, the last of a row perhaps shorter.
    init(_ levels: Matrix, width: Int) {
        self.levels = levels
        let columns = levels.columns
        ends = (0..<levels.rows).flatMap { row in
            stride(from: 0, to: columns, by: max(1, width)).map {
                row * columns + min($0 + width, columns)
            }
        }
    }

    /// Levels whose runs end at `ends`.
    init(_ levels: Matrix, ends: [Int]) {
        self.levels = levels
        self.ends = ends
    }

    /// `scales[run] * level`.
    func decoded(_ scales: [Float]) -> Matrix {
        var result = levels
        result.storage.withUnsafeMutableBufferPointer { weights in
            forEachRun { run, range in
                let scale = scales[run]
                for index in range { weights[index] *= scale }
            }
        }
        return result
    }

    /// The gradient of the scales: the sum of `gradient * level` over each run.
    func scalesGradient(_ gradient: Matrix) -> [Float] {
        var sums = [Float](repeating: 0, count: ends.count)
        levels.storage.withUnsafeBufferPointer { levels in
            gradient.storage.withUnsafeBufferPointer { gradient in
                forEachRun { run, range in
                    sums[run] = Self.dot(levels, gradient, range)
                }
            }
        }
        return sums
    }

    /// Runs `body` on each run and its weights.
    func forEachRun(_ body: (Int, Range<Int>) -> Void) {
        var start = 0
        for (run, end) in ends.enumerated() {
            body(run, start..<end)
            start = end
        }
    }

    private static func dot(
        _ a: UnsafeBufferPointer<Float>, _ b: UnsafeBufferPointer<Float>, _ range: Range<Int>
    ) -> Float {
        var lanes = SIMD16<Float>(repeating: 0)
        let (a, b) = (UnsafeRawBufferPointer(a), UnsafeRawBufferPointer(b))
        var index = range.lowerBound
        while index + 16 <= range.upperBound {
            lanes +=
                a.loadUnaligned(fromByteOffset: 4 * index, as: SIMD16<Float>.self)
                * b.loadUnaligned(fromByteOffset: 4 * index, as: SIMD16<Float>.self)
            index += 16
        }
        var sum = lanes.sum()
        while index < range.upperBound {
            sum +=
                a.load(fromByteOffset: 4 * index, as: Float.self)
                * b.load(fromByteOffset: 4 * index, as: Float.self)
            index += 1
        }
        return sum
    }
}
