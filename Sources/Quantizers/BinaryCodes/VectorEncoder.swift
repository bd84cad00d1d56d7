import PlanFormat

/// Encodes vectors one after the other with the same room.
final class VectorEncoder {
    private let bits: Int
    private let type: Scheme.FloatType
    private let fit: CodeFit
    private let greedy: GreedyCodes
    private let vector: SortedVector
    private let intervals: IntervalFit

    init(bits: Int, width: Int, type: Scheme.FloatType, fit: CodeFit) {
        self.bits = bits
        self.type = type
        self.fit = fit
        greedy = GreedyCodes(columns: width)
        vector = SortedVector(capacity: width)
        intervals = IntervalFit(bits: bits, vector: vector, type: type)
    }

    /// Writes a code per weight and `bits` alphas.
    func encode(
        _ weights: UnsafePointer<Float>, count: Int, codes: UnsafeMutablePointer<UInt8>,
        alphas: UnsafeMutablePointer<Float>
    ) {
        if fit == .greedy && !mayBeDecoded(weights, count: count) {
            greedy.encode(weights, count: count, bits: bits, type: type, codes: codes, alphas: alphas)
            return
        }
        vector.load(weights, count: count)
        intervals.begin()
        if let alphas = CodeRecovery.alphas(of: vector, bits: bits) {
            intervals.alternate(from: alphas, iterations: 4)
        }
        if !(intervals.bestError <= 1e-11 * vector.squares) {
            if fit == .greedy {
                greedy.encode(weights, count: count, bits: bits, type: type, codes: codes, alphas: alphas)
                return
            }
            intervals.planeByPlane(refit: false)
            intervals.planeByPlane(refit: true)
            if fit != .refined {
                intervals.alternate(from: intervals.lastAlphas, iterations: 30)
                intervals.alternate(from: uniformAlphas(), iterations: 30)
            }
        }
        for plane in 0..<bits { alphas[plane] = intervals.best.alphas[plane] }
        intervals.best.assign(weights, count: count, codes: codes)
    }

    /// The alphas of the uniform grid that suits normally distributed numbers: from 4 bits on a better start
    /// than refined codes, whose alphas fall too slowly.
    ///
    /// - Source: Max 1960, "Quantizing for minimum distortion", table II, continued for 64 and more levels.
    private func uniformAlphas() -> [Double] {
        let steps = [1.596, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308]
        let deviation = (vector.squares / Double(max(1, vector.count))).squareRoot()
        return (0..<bits).map { steps[bits - 1] / 2 * deviation * Double(1 << (bits - 1 - $0)) }
    }

    /// Whether two of the first 2^bits + 1 numbers are equal, as they must be in a vector of 2^bits code
    /// values.
    private func mayBeDecoded(_ weights: UnsafePointer<Float>, count: Int) -> Bool {
        let levels = 1 << bits
        if count < 2 * levels { return false }
        // Too short for comparing 16 at a time: the sorted numbers will tell.
        if count < 2 * levels + 32 { return true }
        for start in stride(from: 0, through: levels, by: 16) {
            let some = UnsafeRawPointer(weights + start).loadUnaligned(as: SIMD16<Float>.self)
            for shift in 1...levels {
                let others = UnsafeRawPointer(weights + start + shift).loadUnaligned(as: SIMD16<Float>.self)
                if any(some .== others) { return true }
            }
        }
        return false
    }
}
