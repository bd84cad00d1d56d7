import BitplanTensors

/// The weights to aim at where a layer's inputs already carry the errors of the layers below.
///
/// With inputs X in full precision, Z behind quantized layers, H = Z'Z and C = X'Z, the least of `|W X' - T
/// Z'|^2 + r |W - T|^2` is `T = W + W (C - H) (H + r)^-1`; r is `ridge` times the mean diagonal of H, and the
/// look-up weight of an embedding.
/// - Complexity: O(columns^3 + rows * columns^2).
enum CorrectedTarget {
    /// Keeps T near W where the text says little.
    static let ridge = 0.1
    /// Rows that are corrected together, so that a row of the factor is fetched once for all of them.
    private static let together = 8

    /// `weights` where the context has no cross moments.
    ///
    /// - Throws: `QuantizationError.momentsMissing` or `.contextMismatch`.
    static func weights(_ weights: Matrix, context: CalibrationContext) throws(QuantizationError) -> Matrix {
        guard let cross = context.crossMoments else { return weights }
        guard let moments = context.moments else { throw .momentsMissing }
        let size = weights.columns
        for (name, matrix) in [("input moments", moments), ("cross moments", cross)]
        where matrix.rows != size || matrix.columns != size {
            throw .contextMismatch(
                "\(name): expected (\(size), \(size)), got (\(matrix.rows), \(matrix.columns))")
        }
        guard !cross.storage.contains(where: { !$0.isFinite }) else {
            throw .contextMismatch("cross moments: not finite")
        }
        let mean = (0..<size).reduce(0.0) { $0 + Double(moments[$1, $1]) } / Double(max(1, size))
        guard mean > 0, mean.isFinite else { return weights }
        var factor = moments.storage.map { Double($0) / mean }
        for index in 0..<size { factor[index * size + index] += ridge + context.lookupWeight }
        guard Cholesky.factor(&factor, size: size, threads: context.threads) else {
            throw .contextMismatch("input moments are not positive semidefinite")
        }
        // Transposed once, the factor into the half that it leaves unused, so that every row's sums run over
        // neighbours.
        var difference = [Double](repeating: 0, count: size * size)
        for row in 0..<size {
            for column in 0..<size {
                if column < row { factor[column * size + row] = factor[row * size + column] }
                difference[column * size + row] =
                    (Double(cross[row, column]) - Double(moments[row, column])) / mean
            }
        }

        var target = weights
        target.storage.withUnsafeMutableBufferPointer { target in
            nonisolated(unsafe) let target = target
            factor.withUnsafeBufferPointer { factor in
                difference.withUnsafeBufferPointer { difference in
                    forEachRun(rows: weights.rows, threads: context.threads) { run in
                        withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * size * together) {
                            room in
                            for first in stride(from: run.lowerBound, to: run.upperBound, by: together) {
                                let rows = first..<min(first + together, run.upperBound)
                                correct(
                                    UnsafeMutableBufferPointer(
                                        rebasing: target[rows.lowerBound * size..<rows.upperBound * size]),
                                    size: size, factor: factor, difference: difference, room: room)
                            }
                        }
                    }
                }
            }
        }
        return target
    }

    /// Adds `w (C - H) (L L')^-1` to every row; `factor` has L and, above its diagonal, L'. `room` has a
    /// sum and a copy of each row.
    private static func correct(
        _ rows: UnsafeMutableBufferPointer<Float>, size: Int, factor: UnsafeBufferPointer<Double>,
        difference: UnsafeBufferPointer<Double>, room: UnsafeMutableBufferPointer<Double>
    ) {
        let sums = stride(from: 0, to: rows.count, by: size)
        let copies = rows.count
        for index in rows.indices { room[copies + index] = Double(rows[index]) }
        for column in 0..<size {
            for sum in sums {
                room[sum + column] = dot(difference, column * size, room, copies + sum, count: size)
            }
        }
        for index in 0..<size {
            for sum in sums {
                room[sum + index] =
                    (room[sum + index] - dot(factor, index * size, room, sum, count: index))
                    / factor[index * size + index]
            }
        }
        for index in stride(from: size - 1, through: 0, by: -1) {
            let after = index + 1
            for sum in sums {
                room[sum + index] =
                    (room[sum + index]
                        - dot(factor, index * size + after, room, sum + after, count: size - after))
                    / factor[index * size + index]
            }
        }
        for index in rows.indices { rows[index] = Float(Double(rows[index]) + room[index]) }
    }

    @inline(__always)
    private static func dot(
        _ left: UnsafeBufferPointer<Double>, _ leftStart: Int, _ right: UnsafeMutableBufferPointer<Double>,
        _ rightStart: Int, count: Int
    ) -> Double {
        guard count > 0, let left = left.baseAddress, let right = right.baseAddress else { return 0 }
        let a = UnsafeRawPointer(left + leftStart)
        let b = UnsafeRawPointer(right + rightStart)
        let whole = count / 8 * 8
        var sums = SIMD8<Double>()
        for index in stride(from: 0, to: whole, by: 8) {
            sums +=
                a.loadUnaligned(fromByteOffset: 8 * index, as: SIMD8<Double>.self)
                * b.loadUnaligned(fromByteOffset: 8 * index, as: SIMD8<Double>.self)
        }
        var sum = sums.sum()
        for index in whole..<count { sum += left[leftStart + index] * right[rightStart + index] }
        return sum
    }
}
