import BitplanTensors
import PlanFormat

/// Fits of binary codes to one sorted vector: greedy, refined, alternating, and exact recovery of decoded
/// vectors.
///
/// The state is a partition of the sorted numbers into 2^bits runs, one a code, and the alphas.
/// - Source: Guo et al. 2017, algorithms 1 and 2; Xu et al. 2018.
final class IntervalFit {
    private let bits: Int
    private let levels: Int
    private let vector: SortedVector
    private let type: Scheme.FloatType

    /// `bounds[i]..<bounds[i + 1]` are the numbers of the code `order[i]`.
    private let bounds: UnsafeMutablePointer<Int>
    private let order: UnsafeMutablePointer<UInt8>
    private let alphas: UnsafeMutablePointer<Double>
    private let values: UnsafeMutablePointer<Double>
    private let counts: UnsafeMutablePointer<Double>
    private let totals: UnsafeMutablePointer<Double>
    private let tree: CodeTree

    /// The best codes of all fits since `begin`, and their squared error.
    let best: CodeTree
    private(set) var bestError = Double.infinity

    init(bits: Int, vector: SortedVector, type: Scheme.FloatType) {
        self.bits = bits
        levels = 1 << bits
        self.vector = vector
        self.type = type
        bounds = .allocate(capacity: levels + 1)
        order = .allocate(capacity: levels)
        alphas = .allocate(capacity: bits)
        values = .allocate(capacity: levels)
        counts = .allocate(capacity: levels)
        totals = .allocate(capacity: levels)
        bounds.initialize(repeating: 0, count: levels + 1)
        order.initialize(repeating: 0, count: levels)
        alphas.initialize(repeating: 0, count: bits)
        values.initialize(repeating: 0, count: levels)
        tree = CodeTree(bits: bits)
        best = CodeTree(bits: bits)
    }

    deinit {
        bounds.deallocate()
        order.deallocate()
        alphas.deallocate()
        values.deallocate()
        counts.deallocate()
        totals.deallocate()
    }

    /// Forgets the fits of the vector before.
    func begin() { bestError = .infinity }

    /// Plane after plane; with `refit`, all alphas are solved again after each.
    func planeByPlane(refit: Bool) {
        bounds[0] = 0
        bounds[1] = vector.count
        order[0] = 0
        values[0] = 0
        for plane in 0..<bits {
            let width = 1 << plane
            for position in stride(from: width - 1, through: 0, by: -1) {
                let start = bounds[position]
                let end = bounds[position + 1]
                let code = order[position]
                let threshold = atLeast(values[Int(code)])
                tree.thresholds[width - 1 + position] = threshold
                bounds[2 * position + 2] = end
                bounds[2 * position + 1] = vector.lowerBound(threshold, from: start, to: end)
                bounds[2 * position] = start
                order[2 * position] = code
                order[2 * position + 1] = code | (1 << UInt8(plane))
            }
            if refit {
                leastSquares(planes: plane + 1)
            } else {
                alphas[plane] = Double(type.rounded(meanResidual(planes: plane)))
            }
            expandValues(planes: plane + 1)
        }
        keepAsIs()
    }

    /// Least squares and nearest codes in turn from these alphas, until the codes stay or `iterations` have
    /// passed.
    func alternate(from start: [Double], iterations: Int) {
        for plane in 0..<bits { alphas[plane] = start[plane] }
        for code in 0..<levels { order[code] = UInt8(code) }
        bounds[0] = 0
        for position in 1...levels { bounds[position] = vector.count }
        for _ in 0..<iterations {
            expandValues(planes: bits)
            if !assignNearest() { break }
            leastSquares(planes: bits)
        }
        keepNearest()
        // Rounded alphas want codes, and those codes alphas, of their own.
        if type == .fp16 {
            leastSquares(planes: bits)
            keepNearest()
        }
    }

    /// The alphas of the last fit.
    var lastAlphas: [Double] { (0..<bits).map { alphas[$0] } }

    // MARK: - Steps

    /// The smallest float that is at least `value`.
    private func atLeast(_ value: Double) -> Float {
        let rounded = Float(value)
        return Double(rounded) < value ? rounded.nextUp : rounded
    }

    /// The smallest float above `value`.
    private func above(_ value: Double) -> Float {
        let rounded = Float(value)
        return Double(rounded) <= value ? rounded.nextUp : rounded
    }

    private func expandValues(planes: Int) {
        values[0] = -alphas[0]
        values[1] = alphas[0]
        for plane in 1..<max(1, planes) {
            let half = 1 << plane
            for code in 0..<half {
                let value = values[code]
                values[code] = value - alphas[plane]
                values[code + half] = value + alphas[plane]
            }
        }
    }

    /// The mean of `|w - value|` over the halves that the last cut made.
    private func meanResidual(planes: Int) -> Double {
        var sum = 0.0
        for position in 0..<(1 << planes) {
            let value = values[Int(order[2 * position])]
            for half in 0..<2 {
                let start = bounds[2 * position + half]
                let end = bounds[2 * position + half + 1]
                let signed = vector.sums[end] - vector.sums[start] - Double(end - start) * value
                sum += half == 0 ? -signed : signed
            }
        }
        return vector.count > 0 ? max(0, sum) / Double(vector.count) : 0
    }

    /// Sorts the codes by value and gives each the numbers nearest to its value; a number in the middle takes
    /// the lower.
    ///
    /// - Returns: whether any number may have changed its code.
    private func assignNearest() -> Bool {
        var changed = false
        for position in 1..<levels {
            let code = order[position]
            let value = values[Int(code)]
            var slot = position
            while slot > 0, values[Int(order[slot - 1])] > value {
                order[slot] = order[slot - 1]
                slot -= 1
                changed = true
            }
            order[slot] = code
        }
        for position in 1..<levels {
            let middle = (values[Int(order[position - 1])] + values[Int(order[position])]) / 2
            let bound = moved(bounds[position], to: above(middle), from: bounds[position - 1])
            if bound != bounds[position] {
                bounds[position] = bound
                changed = true
            }
        }
        return changed
    }

    /// The first index from `start` whose number is at least `threshold`; thresholds move little from step to
    /// step, so it is looked for near where it was.
    @inline(__always)
    private func moved(_ index: Int, to threshold: Float, from start: Int) -> Int {
        var index = max(index, start)
        var steps = 0
        while index > start, vector.numbers[index - 1] >= threshold {
            index -= 1
            steps += 1
            if steps == 16 { return vector.lowerBound(threshold, from: start, to: index) }
        }
        while index < vector.count, vector.numbers[index] < threshold {
            index += 1
            steps += 1
            if steps == 16 { return vector.lowerBound(threshold, from: index, to: vector.count) }
        }
        return index
    }

    /// Solves the alphas of the first planes for the codes as they are: `(B B')^-1 B w`.
    ///
    /// Counts and sums by code give both sides: their Walsh-Hadamard transforms at two bits and at one bit.
    private func leastSquares(planes: Int) {
        let size = 1 << planes
        for position in 0..<size {
            let code = Int(order[position])
            let start = bounds[position]
            let end = bounds[position + 1]
            counts[code] = Double(end - start)
            totals[code] = vector.sums[end] - vector.sums[start]
        }
        walshHadamard(counts, size)
        walshHadamard(totals, size)
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 64) { room in
            solveSymmetric(
                size: planes, room: room, into: UnsafeMutableBufferPointer(start: alphas, count: planes)
            ) { row, column in
                row == column ? counts[0] : counts[(1 << row) | (1 << column)]
            } right: { row in
                // A clear bit is -1 in a code and +1 in the transform.
                -totals[1 << row]
            }
        }
    }

    private func walshHadamard(_ numbers: UnsafeMutablePointer<Double>, _ size: Int) {
        var half = 1
        while half < size {
            var start = 0
            while start < size {
                for index in start..<start + half {
                    let low = numbers[index]
                    let high = numbers[index + half]
                    numbers[index] = low + high
                    numbers[index + half] = low - high
                }
                start += 2 * half
            }
            half *= 2
        }
    }

    // MARK: - Results

    private func roundAlphas() {
        for plane in 0..<bits { tree.alphas[plane] = type.rounded(alphas[plane]) }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: levels) { floats in
            guard let floats = floats.baseAddress else { return }
            codeValues(tree.alphas, bits: bits, into: floats)
            for code in 0..<levels { values[code] = Double(floats[code]) }
        }
    }

    /// Rounds the alphas and keeps codes and thresholds of the plane-by-plane fits.
    private func keepAsIs() {
        roundAlphas()
        for leaf in 0..<levels { tree.leafCodes[leaf] = order[leaf] }
        keep()
    }

    /// Rounds the alphas and takes the nearest codes to what they then give.
    private func keepNearest() {
        roundAlphas()
        _ = assignNearest()
        for leaf in 0..<levels { tree.leafCodes[leaf] = order[leaf] }
        for level in 0..<bits {
            for position in 0..<(1 << level) {
                let right = (2 * position + 1) << (bits - level - 1)
                let middle = (values[Int(order[right - 1])] + values[Int(order[right])]) / 2
                tree.thresholds[(1 << level) - 1 + position] = above(middle)
            }
        }
        keep()
    }

    private func keep() {
        var error = vector.squares
        for position in 0..<levels {
            let start = bounds[position]
            let end = bounds[position + 1]
            let value = values[Int(order[position])]
            error += value * (Double(end - start) * value - 2 * (vector.sums[end] - vector.sums[start]))
        }
        if error < bestError || bestError == .infinity {
            bestError = error
            best.copy(from: tree)
        }
    }
}
