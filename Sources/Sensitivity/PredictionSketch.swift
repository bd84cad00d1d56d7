import Foundation
import Kernels
import Tensors

/// KL and cross-entropy of probes that share the reference's output projection, from few of its rows.
///
/// With p the reference's distribution at a position, h its output, h' the probe's, D = h' - h, e_v the projection's rows,
/// mu = sum_v p_v e_v and d_v = e_v . D - mu . D (the change of a logit beside their mean change):
///
///     KL(p || q) = log sum_v p_v e^(d_v) = log1p(sum_v p_v f(d_v)),   f(x) = e^x - 1 - x
///
/// f has no first-order term, and p has nearly all its mass on few tokens: those of largest p are summed exactly, the others by a
/// stratified sample drawn from p. Where the sample cannot be trusted (a probe that broke the model) the whole product is needed.
/// - Source: the cumulant generating function of e_v . D under p; the sample is ours.
struct PredictionSketch: Sendable {
    /// Tokens summed exactly, and tokens sampled from the rest.
    static var topCount: Int { 96 }
    static var sampleCount: Int { 64 }
    /// Beyond these the whole product is computed: the largest change of a sampled logit, the sum of f, the share of the sample's
    /// standard error in it.
    static var largestChange: Float { 3 }
    static var largestSum: Double { 0.5 }
    static var largestError: Double { 0.2 }

    /// `topCount + sampleCount` tokens a position, and their weights: p, or the rest's mass over the sample.
    private var tokens: [Int32] = []
    private var weights: [Float] = []
    /// mu of every position.
    private var means: Matrix
    private let outputs: Matrix
    /// Cross-entropy of the right answers under the reference.
    private var crossEntropy: [Double] = []

    private static var width: Int { topCount + sampleCount }

    /// Sketches the reference's predictions.
    ///
    /// - Shapes: `outputs` (positions, width); `logits` gives the reference's logits of some of them; `transposed` is the projection's
    ///   transpose, (width, tokens).
    init(
        outputs: Matrix, targets: [Int?], seed: UInt64, transposed: DenseMatrix,
        logits: (Range<Int>) -> Matrix
    ) {
        self.outputs = outputs
        means = Matrix(rows: outputs.rows, columns: outputs.columns)
        var generator = SeededGenerator(seed: seed)
        for first in stride(from: 0, to: outputs.rows, by: 32) {
            let span = first..<min(first + 32, outputs.rows)
            var p = logits(span)
            let columns = p.columns
            p.storage.withUnsafeMutableBufferPointer { buffer in
                for (place, position) in span.enumerated() {
                    guard let row = buffer.baseAddress.map({ $0 + place * columns }) else { return }
                    crossEntropy.append(
                        targets[position].map { Double(logSumExp(row, count: columns)) - Double(row[$0]) }
                            ?? 0)
                    softmax(row, count: columns)
                    choose(UnsafeBufferPointer(start: row, count: columns), &generator)
                }
            }
            let mean = transposed(p)
            means.storage.replaceSubrange(
                first * means.columns..<span.upperBound * means.columns, with: mean.storage)
        }
    }

    /// What a probe's prediction at a position loses; nil where the whole product is needed.
    ///
    /// - Parameters:
    ///   - changed: the probe's outputs, (positions, width).
    ///   - table: the projection's rows, (tokens, width).
    func loss(
        at position: Int, _ changed: Matrix, table: Matrix, target: Int?
    ) -> (kl: Double, crossEntropy: Double)? {
        let columns = outputs.columns
        let first = position * columns
        let delta = (first..<first + columns).map { changed.storage[$0] - outputs.storage[$0] }
        return delta.withUnsafeBufferPointer { delta in
            table.storage.withUnsafeBufferPointer { rows in
                means.storage.withUnsafeBufferPointer { means in
                    guard let delta = delta.baseAddress, let rows = rows.baseAddress,
                        let means = means.baseAddress
                    else { return nil }
                    func dot(_ row: UnsafePointer<Float>) -> Float {
                        var sum: Float = 0
                        dotRows(
                            delta, row, stride: columns, count: 1, dimension: columns, scale: 1, into: &sum)
                        return sum
                    }
                    let shift = dot(means + first)
                    guard let sum = sum(at: position, { dot(rows + Int($0) * columns) - shift }) else {
                        return nil
                    }
                    let change = target.map { Double(dot(rows + $0 * columns) - shift) } ?? 0
                    return (log1p(sum), crossEntropy[position] + log1p(sum) - change)
                }
            }
        }
    }

    /// sum p f(d); nil where it cannot be trusted.
    private func sum(at position: Int, _ change: (Int32) -> Float) -> Double? {
        var exact = 0.0
        var sampled = 0.0
        var squares = 0.0
        let first = position * Self.width
        for place in first..<first + Self.width where weights[place] > 0 {
            let d = change(tokens[place])
            let value = Double(weights[place]) * Double(excess(d))
            if place - first < Self.topCount {
                guard d < 20 else { return nil }
                exact += value
            } else {
                guard d < Self.largestChange else { return nil }
                sampled += value
                squares += value * value
            }
        }
        let sum = exact + sampled
        // For a sum of independent draws the squared error is at most the sum of their squares.
        return sum < Self.largestSum && squares.squareRoot() <= Self.largestError * sum + 1e-9 ? sum : nil
    }

    /// The tokens of largest probability, and a stratified sample of the others by their probability.
    private mutating func choose(_ p: UnsafeBufferPointer<Float>, _ generator: inout SeededGenerator) {
        let threshold = Self.nthLargest(p, Self.topCount)
        var top: [Int] = []
        for token in p.indices where p[token] > threshold { top.append(token) }
        for token in p.indices where p[token] == threshold && top.count < Self.topCount { top.append(token) }
        var isTop = [Bool](repeating: false, count: p.count)
        for token in top { isTop[token] = true }
        let unused = Self.topCount - top.count
        tokens += top.map { Int32($0) } + [Int32](repeating: 0, count: unused)
        weights += top.map { p[$0] } + [Float](repeating: 0, count: unused)
        let rest = p.indices.reduce(0.0) { isTop[$1] ? $0 : $0 + Double(p[$1]) }
        var cumulative = 0.0
        var token = -1
        for stratum in 0..<Self.sampleCount {
            let point = (Double(stratum) + generator.uniform()) / Double(Self.sampleCount) * rest
            while cumulative <= point, token + 1 < p.count {
                token += 1
                if !isTop[token] { cumulative += Double(p[token]) }
            }
            // Rounding may carry the last point beyond the last token of the rest.
            while token > 0, isTop[token] { token -= 1 }
            tokens.append(Int32(max(token, 0)))
            weights.append(Float(rest / Double(Self.sampleCount)))
        }
    }

    /// The n-th largest number, by bisection on the bits: probabilities are not negative.
    private static func nthLargest(_ values: UnsafeBufferPointer<Float>, _ n: Int) -> Float {
        guard values.count > n else { return -1 }
        var low: UInt32 = 0
        var high = Float(1.0001).bitPattern
        while low < high {
            let middle = low + (high - low + 1) / 2
            let bound = Float(bitPattern: middle)
            if values.count(where: { $0 >= bound }) >= n { low = middle } else { high = middle - 1 }
        }
        return Float(bitPattern: low)
    }
}

/// `e^x - 1 - x`, by its series where that would cancel.
private func excess(_ x: Float) -> Float {
    if abs(x) < 0.5 {
        return x * x * (0.5 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x / 720))))
    }
    return exp(x) - 1 - x
}
