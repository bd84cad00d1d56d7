import BitplanKernels
import BitplanTensors
import Foundation

/// KL and cross-entropy of probes from few tokens of the vocabulary.
///
/// With p the reference's distribution at a position, z its logits, z' the probe's, d_v = z'_v - z_v and D =
/// sum_v p_v d_v:
///
///     KL(p || q) = log sum_v p_v e^(d_v - D) = log1p(sum_v p_v f(d_v - D)),   f(x) = e^x - 1 - x
///
/// f has no first-order term, and p has nearly all its mass on few tokens: those of largest p are summed
/// exactly, the others by a stratified sample drawn from p. Where logits are outputs times a projection e
/// that both share, d_v = e_v . (h' - h) and D = mu . (h' - h) with mu = sum_v p_v e_v; where the projection
/// itself changed, D is estimated from the same tokens. A sketch errs by a few percent at a position where
/// the probe changed much; `Evaluator` measures by how much, and corrects it.
/// - Source: the cumulant generating function of d under p; the sample is ours.
struct PredictionSketch: Sendable {
    /// Tokens summed exactly, and most and fewest tokens sampled from the rest.
    static var topCount: Int { 96 }
    static var sampleCounts: ClosedRange<Int> { 16...160 }
    /// How much a sketch may err by sampling, as a share of KL, where that takes no more samples: a sum over
    /// a share r of the mass, by n samples that vary twice as much as they are large, errs by 2 r / sqrt(n)
    /// of it.
    static var samplingError: Double { 0.01 }
    /// KL, and change of a sampled logit, beyond which few tokens say too little: the probe broke the model
    /// there.
    static var largestKL: Double { 4 }
    static var largestChange: Float { 7 }

    /// What a sketch says of a position.
    struct Loss: Sendable {
        var kl: Double
        var crossEntropy: Double
        /// Whether the whole product is needed.
        var isRough: Bool
        /// D.
        var meanChange: Double
        /// Variance of `kl` by sampling, from differences between neighbouring strata.
        var variance: Double
    }

    /// Tokens of all positions, those of largest p first, and their weights: p, or the rest's mass over the
    /// sample.
    private var tokens: [Int32] = []
    private var weights: [Float] = []
    /// Where the tokens of each position are.
    private var starts = [0]
    /// mu of every position.
    private var means: Matrix
    private let outputs: Matrix
    /// log sum e^z of every position, and the cross-entropy of the right answers, under the reference.
    private var logSums: [Double] = []
    private(set) var crossEntropy: [Double] = []

    /// Most bytes that a position's sketch takes.
    static func bytes(width columns: Int) -> Int {
        8 * (topCount + sampleCounts.upperBound) + 8 * columns + 24
    }

    /// Sketches the reference's predictions.
    ///
    /// - Shapes: `outputs` (positions, width); `logits` gives the reference's logits of some of them;
    ///   `transposed` is the projection's transpose, (width, tokens).
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
                    let logSum = Double(logSumExp(row, count: columns))
                    logSums.append(logSum)
                    crossEntropy.append(targets[position].map { logSum - Double(row[$0]) } ?? 0)
                    softmax(row, count: columns)
                    choose(UnsafeBufferPointer(start: row, count: columns), &generator)
                }
            }
            let mean = transposed(p)
            means.storage.replaceSubrange(
                first * means.columns..<span.upperBound * means.columns, with: mean.storage)
        }
    }

    /// What a probe's prediction at a position loses.
    ///
    /// - Parameters:
    ///   - changed: the probe's outputs, (positions, width).
    ///   - table: the reference projection's rows, (tokens, width).
    ///   - probeTable: the probe's, where it has a projection of its own.
    func loss(
        at position: Int, _ changed: Matrix, table: Matrix, probeTable: Matrix?, target: Int?
    ) -> Loss {
        let h = Array(outputs[row: position])
        let probe = Array(changed[row: position])
        let delta = zip(probe, h).map { $0 - $1 }
        func changes(_ chosen: ArraySlice<Int32>) -> [Float] {
            guard let probeTable else { return dotRows(delta, table, chosen: chosen) }
            return zip(dotRows(probe, probeTable, chosen: chosen), dotRows(h, table, chosen: chosen)).map {
                $0 - $1
            }
        }
        let span = starts[position]..<starts[position + 1]
        let found = changes(tokens[span])
        let mean =
            probeTable == nil
            ? zip(delta, means[row: position]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            : zip(found, weights[span]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        var (sum, variance, last) = (0.0, 0.0, 0.0)
        for (place, (change, weight)) in zip(found, weights[span]).enumerated() where weight > 0 {
            let d = change - Float(mean)
            guard d < (place < Self.topCount ? 20 : Self.largestChange) else {
                return Loss(kl: 0, crossEntropy: 0, isRough: true, meanChange: mean, variance: 0)
            }
            let part = Double(weight) * Double(excess(d))
            sum += part
            if place > Self.topCount { variance += (part - last) * (part - last) / 2 }
            last = part
        }
        let kl = log1p(max(sum, 0))
        let shift = target.map { Double(changes([Int32($0)])[0]) - mean } ?? 0
        return Loss(
            kl: kl, crossEntropy: crossEntropy[position] + kl - shift, isRough: kl > Self.largestKL,
            meanChange: mean, variance: variance / ((1 + sum) * (1 + sum)))
    }

    /// What a prediction loses by all the probe's logits: log sum_v p_v e^(d_v) - D.
    ///
    /// Exact where the projection is shared. Where it is not, D is of the sketch's tokens: right on average
    /// over positions.
    ///
    /// - Parameters:
    ///   - meanChange: D.
    ///   - logSum: log sum e^z' of the probe.
    ///   - answer: the probe's logit of the right answer.
    func loss(at position: Int, meanChange: Double, logSum: Double, answer: Float?) -> (
        kl: Double, crossEntropy: Double
    ) {
        (max(0, logSum - logSums[position] - meanChange), answer.map { logSum - Double($0) } ?? 0)
    }

    /// The tokens of largest probability, and a stratified sample of the others by their probability.
    private mutating func choose(_ p: UnsafeBufferPointer<Float>, _ generator: inout SeededGenerator) {
        let top = indicesOfLargest(Self.topCount, of: p)
        var isTop = [Bool](repeating: false, count: p.count)
        for token in top { isTop[token] = true }
        let unused = Self.topCount - top.count
        tokens += top.map { Int32($0) } + [Int32](repeating: 0, count: unused)
        weights += top.map { p[$0] } + [Float](repeating: 0, count: unused)
        let rest = p.indices.reduce(0.0) { isTop[$1] ? $0 : $0 + Double(p[$1]) }
        let needed = (2 * rest / Self.samplingError) * (2 * rest / Self.samplingError)
        let count = min(
            max(Int(min(needed, 1e6)), Self.sampleCounts.lowerBound), Self.sampleCounts.upperBound)
        var cumulative = 0.0
        var token = -1
        for stratum in 0..<count {
            let point = (Double(stratum) + generator.uniform()) / Double(count) * rest
            while cumulative <= point, token + 1 < p.count {
                token += 1
                if !isTop[token] { cumulative += Double(p[token]) }
            }
            // Rounding may carry the last point beyond the last token of the rest.
            while token > 0, isTop[token] { token -= 1 }
            tokens.append(Int32(max(token, 0)))
            weights.append(Float(rest / Double(count)))
        }
        starts.append(tokens.count)
    }
}

/// `e^x - 1 - x`, by its series where that would cancel.
private func excess(_ x: Float) -> Float {
    if abs(x) < 0.5 {
        return x * x * (0.5 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x / 720))))
    }
    return exp(x) - 1 - x
}
