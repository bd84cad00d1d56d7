import Foundation

/// Cross-entropy and divergence of next-token distributions, in nats, from rows of logits.
///
/// A row holds one position's logits over the vocabulary, in Float as the model computes them; everything
/// from there on is in Double, through log-softmax: `log p_v = z_v - max z - log sum_u exp(z_u - max z)`. So
/// the largest exponential is 1, nothing overflows, and adding a constant to a row changes nothing. A logit
/// of -infinity is a token of probability
/// 0. A row must have a finite logit; NaN in a row gives NaN. Sums run over eight lanes in a fixed order.
package enum LogLikelihood {
    /// `log sum_v exp(z_v)`, the normalizer of log-softmax.
    ///
    /// - Complexity: O(vocabulary).
    package static func logSumExp(_ logits: some Collection<Float>) -> Double {
        withRow(logits) { Normalizer($0).logSumExp }
    }

    /// `-log p_target`.
    ///
    /// - Complexity: O(vocabulary).
    package static func crossEntropy(_ logits: some Collection<Float>, target: Int) -> Double {
        withRow(logits) { Normalizer($0).nats(of: $0[target]) }
    }

    /// `KL(p || q) = sum_v p_v (log p_v - log q_v)`: never negative, exactly 0 for equal rows, infinite only
    /// where q excludes (-infinity) what p does not.
    ///
    /// - Parameters:
    ///   - p: Logits of the full-precision model.
    ///   - q: Logits of the quantized model, same length.
    /// - Complexity: O(vocabulary).
    package static func klDivergence(_ p: some Collection<Float>, _ q: some Collection<Float>) -> Double {
        withRow(p) { p in withRow(q) { q in divergence(p, q, Normalizer(q)) } }
    }

    /// Cross-entropy of the candidate on `target` and KL(reference || candidate), sharing the work on the
    /// candidate's row.
    ///
    /// The values are those of `crossEntropy` and `klDivergence`, bit for bit.
    ///
    /// - Complexity: O(vocabulary).
    package static func compare(
        reference: some Collection<Float>, candidate: some Collection<Float>, target: Int
    ) -> (crossEntropy: Double, klDivergence: Double) {
        withRow(reference) { p in
            withRow(candidate) { q in
                let normalizer = Normalizer(q)
                return (normalizer.nats(of: q[target]), divergence(p, q, normalizer))
            }
        }
    }

    private static func divergence(
        _ p: UnsafeBufferPointer<Float>, _ q: UnsafeBufferPointer<Float>, _ qNormalizer: Normalizer
    ) -> Double {
        precondition(p.count == q.count, "rows of \(p.count) and \(q.count) logits")
        let pMaximum = maximum(p)
        let qMaximum = qNormalizer.maximum
        var partition = Lanes.zero
        var weighted = Lanes.zero
        for start in stride(from: 0, to: p.count, by: Lanes.scalarCount) {
            let pShifted = lanes(p, start) - pMaximum
            let weight = Lanes.exponential(pShifted)
            partition += weight
            let terms = weight * (pShifted - (lanes(q, start) - qMaximum))
            // 0 log 0 is 0, whatever q says; otherwise infinities would meet as NaN.
            weighted += terms.replacing(with: 0, where: weight .== 0)
        }
        // Equal rows: every difference is 0, and both partition sums were added up in the same order.
        let divergence =
            weighted.sum() / partition.sum() - (log(partition.sum()) - log(qNormalizer.partition))
        // Rounding may leave -1e-17 where the rows are nearly equal; NaN passes through.
        return divergence < 0 ? 0 : divergence
    }

    /// What turns a row of logits into log-probabilities.
    private struct Normalizer {
        let maximum: Double
        /// `sum_v exp(z_v - maximum)`, at least 1.
        let partition: Double

        init(_ row: UnsafeBufferPointer<Float>) {
            maximum = LogLikelihood.maximum(row)
            var sum = Lanes.zero
            for start in stride(from: 0, to: row.count, by: Lanes.scalarCount) {
                sum += Lanes.exponential(lanes(row, start) - maximum)
            }
            partition = sum.sum()
        }

        var logSumExp: Double { maximum + log(partition) }

        func nats(of logit: Float) -> Double { log(partition) + (maximum - Double(logit)) }
    }

    private static func maximum(_ row: UnsafeBufferPointer<Float>) -> Double {
        precondition(!row.isEmpty, "an empty row of logits")
        var largest = Lanes(repeating: -.infinity)
        for start in stride(from: 0, to: row.count, by: Lanes.scalarCount) {
            let logits = lanes(row, start)
            largest.replace(with: logits, where: logits .> largest)
        }
        return largest.max()
    }

    /// The logits from `start` on; what lies behind the row's end is a token of probability 0.
    @inline(__always)
    private static func lanes(_ row: UnsafeBufferPointer<Float>, _ start: Int) -> Lanes {
        if start + Lanes.scalarCount <= row.count {
            return Lanes(
                UnsafeRawBufferPointer(row).loadUnaligned(
                    fromByteOffset: start * MemoryLayout<Float>.stride, as: SIMD8<Float>.self))
        }
        var tail = Lanes(repeating: -.infinity)
        for index in start..<row.count { tail[index - start] = Double(row[index]) }
        return tail
    }

    private static func withRow<Result>(
        _ row: some Collection<Float>, _ body: (UnsafeBufferPointer<Float>) -> Result
    ) -> Result {
        row.withContiguousStorageIfAvailable(body) ?? Array(row).withUnsafeBufferPointer(body)
    }
}
