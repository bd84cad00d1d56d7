import PlanFormat

extension Activations {
    /// What BitLinear's norm adds to the variance.
    static let normEpsilon: Float = 1e-5

    /// One token's `count` activations as the scheme takes them, in place.
    func quantize(_ x: UnsafeMutablePointer<Float>, count: Int) {
        guard case .quantized(let bits, let normalized) = self else { return }
        if normalized { layerNorm(x, count: count, gain: nil, bias: nil, epsilon: Self.normEpsilon, into: x) }
        guard bits > 1 else {
            for index in 0..<count { x[index] = x[index] > 0 ? 1 : -1 }
            return
        }
        var largest: Float = 0
        for index in 0..<count { largest = max(largest, abs(x[index])) }
        guard largest > 0, largest.isFinite else { return }
        // BitNet divides by 2^(bits - 1) and cuts the largest code.
        let top = Float(1 << (bits - 1) - 1)
        let step = largest / (normalized ? top + 1 : top)
        for index in 0..<count { x[index] = min((x[index] / step).rounded(.toNearestOrEven), top) * step }
    }
}
