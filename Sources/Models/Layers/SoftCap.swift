import BitplanKernels
import BitplanTensors

/// Keeps scores within a bound: `y = bound tanh(x / bound)`, whose slope is `1 - (y / bound)^2`.
///
/// - Source: Gemma Team 2024 (Gemma 2), "logit soft-capping".
struct SoftCap: Sendable, Equatable {
    /// No score is larger.
    let bound: Float

    /// Caps `count` scores in place.
    func apply(_ scores: UnsafeMutablePointer<Float>, count: Int) {
        for i in 0..<count { scores[i] /= bound }
        hyperbolicTangent(scores, count: count)
        for i in 0..<count { scores[i] *= bound }
    }

    /// The slope at the argument of a capped score.
    func slope(at capped: Float) -> Float { 1 - (capped / bound) * (capped / bound) }

    /// Caps all scores in place.
    func apply(_ scores: inout Matrix) {
        scores.storage.withUnsafeMutableBufferPointer { buffer in
            if let base = buffer.baseAddress { apply(base, count: buffer.count) }
        }
    }

    /// Takes the gradient of capped scores to that of the scores, in place.
    func backward(_ gradient: inout Matrix, capped: Matrix) {
        gradient.forEachRow(beside: capped) { y, dy in
            for i in 0..<capped.columns { dy[i] *= slope(at: y[i]) }
        }
    }
}
