import BitplanTensors
import CBitplanKernels

// What the engine computes between products. Every function works on FP32, in place where it can, and gives
// the same bits for a row whatever rows stand beside it. Sums have one order in all instruction sets: 16
// lanes, then halves.

/// `x[i] = e^(x[i] - m) / sum_j e^(x[j] - m)` with m the largest number: probabilities. Minus infinity gives
/// 0; a row of nothing else gives NaN.
///
/// - Complexity: O(count). Relative error of each exponential: about 1e-7.
package func softmax(_ x: UnsafeMutablePointer<Float>, count: Int, instructions: InstructionSet = .best) {
    bp_softmax(instructions.code, x, count)
}

/// `x[i] -= log sum_j e^x[j]`: log-probabilities, in nats.
package func logSoftmax(_ x: UnsafeMutablePointer<Float>, count: Int, instructions: InstructionSet = .best) {
    bp_log_softmax(instructions.code, x, count)
}

/// `log sum_j e^x[j]`, without overflow; minus infinity for an empty row.
package func logSumExp(_ x: UnsafePointer<Float>, count: Int, instructions: InstructionSet = .best) -> Float {
    bp_log_sum_exp(instructions.code, x, count)
}

/// `x[i] = e^x[i]`; 0 below -87.3, e^88.7 above 88.7.
package func exponential(_ x: UnsafeMutablePointer<Float>, count: Int, instructions: InstructionSet = .best) {
    bp_exp(instructions.code, x, count)
}

/// `x[i] = tanh x[i]`.
package func hyperbolicTangent(
    _ x: UnsafeMutablePointer<Float>, count: Int, instructions: InstructionSet = .best
) {
    bp_tanh(instructions.code, x, count)
}

/// `x[i] = 1 / (1 + e^-x[i])`, as `(1 + tanh(x[i] / 2)) / 2`.
package func sigmoid(_ x: UnsafeMutablePointer<Float>, count: Int, instructions: InstructionSet = .best) {
    for i in 0..<count { x[i] *= 0.5 }
    bp_tanh(instructions.code, x, count)
    for i in 0..<count { x[i] = 0.5 + 0.5 * x[i] }
}

/// `x[i] = max(x[i], 0)`.
package func relu(_ x: UnsafeMutablePointer<Float>, count: Int, instructions: InstructionSet = .best) {
    bp_relu(instructions.code, x, count)
}

/// `x[i] = x[i] / (1 + e^-x[i])`, also called SiLU.
package func swish(_ x: UnsafeMutablePointer<Float>, count: Int, instructions: InstructionSet = .best) {
    bp_swish(instructions.code, x, count)
}

/// `x[i] = x[i] / 2 (1 + erf(x[i] / sqrt 2))`: the exact GELU.
package func geluErf(_ x: UnsafeMutablePointer<Float>, count: Int, instructions: InstructionSet = .best) {
    bp_gelu_erf(instructions.code, x, count)
}

/// `x[i] = x[i] / 2 (1 + tanh(sqrt(2 / pi) (x[i] + 0.044715 x[i]^3)))`: the approximate GELU.
package func geluTanh(_ x: UnsafeMutablePointer<Float>, count: Int, instructions: InstructionSet = .best) {
    bp_gelu_tanh(instructions.code, x, count)
}

/// `x[i] += a[i]`: biases and residuals.
package func add(
    _ a: UnsafePointer<Float>, to x: UnsafeMutablePointer<Float>, count: Int,
    instructions: InstructionSet = .best
) {
    bp_add(instructions.code, a, x, count)
}

/// `out[i] = (x[i] - mean) / sqrt(variance + epsilon) * gain[i] + bias[i]`, the variance being the biased
/// one.
///
/// - Parameters:
///   - gain: nil means 1; `bias`: nil means 0.
///   - out: may be `x` itself.
package func layerNorm(
    _ x: UnsafePointer<Float>, count: Int, gain: UnsafePointer<Float>?, bias: UnsafePointer<Float>?,
    epsilon: Float,
    into out: UnsafeMutablePointer<Float>, instructions: InstructionSet = .best
) {
    bp_layer_norm(instructions.code, x, count, gain, bias, epsilon, out)
}

/// The scores of attention: `scores[j] = scale * sum_i query[i] rows[j * stride + i]`.
///
/// - Shapes: `query` (dimension), `rows` (count, dimension) with rows `stride` numbers apart, `scores`
///   (count): a head is a slice of wider rows.
package func dotRows(
    _ query: UnsafePointer<Float>, _ rows: UnsafePointer<Float>, stride: Int, count: Int, dimension: Int,
    scale: Float,
    into scores: UnsafeMutablePointer<Float>, instructions: InstructionSet = .best
) {
    bp_dot_rows(instructions.code, query, rows, stride, count, dimension, scale, scores)
}

/// Products with rows of a table, in any order: `scores[j] = sum_i vector[i] table[chosen[j]][i]`.
///
/// - Shapes: `vector` (table.columns), `chosen` row numbers of `table`, the result one number for each.
package func dotRows(
    _ vector: [Float], _ table: Matrix, chosen: ArraySlice<Int32>, instructions: InstructionSet = .best
) -> [Float] {
    precondition(
        vector.count == table.columns && chosen.allSatisfy { (0..<table.rows).contains(Int($0)) },
        "dotRows: rows \(chosen) of a table of \(table.rows) x \(table.columns), a vector of \(vector.count)")
    return [Float](unsafeUninitializedCapacity: chosen.count) { scores, count in
        count = chosen.count
        chosen.withUnsafeBufferPointer { chosen in
            table.storage.withUnsafeBufferPointer { rows in
                guard let first = chosen.baseAddress, let rows = rows.baseAddress,
                    let out = scores.baseAddress
                else { return }
                bp_dot_chosen_rows(
                    instructions.code, vector, rows, table.columns, first, chosen.count, table.columns, out)
            }
        }
    }
}

/// The weighted sum of attention: `out[i] = sum_j weights[j] rows[j * stride + i]`, in the order of j.
///
/// - Shapes: `weights` (count), `rows` (count, dimension) with rows `stride` numbers apart, `out`
///   (dimension).
/// - Parameter adding: goes on with the sums that `out` has: rows in several pieces give the bits of rows in
///   one.
package func combineRows(
    _ weights: UnsafePointer<Float>, _ rows: UnsafePointer<Float>, stride: Int, count: Int, dimension: Int,
    into out: UnsafeMutablePointer<Float>, adding: Bool = false, instructions: InstructionSet = .best
) {
    bp_combine_rows(instructions.code, weights, rows, stride, count, dimension, adding ? 1 : 0, out)
}

/// The first index of the largest number; 0 where the first is NaN or nothing is there.
package func indexOfLargest(
    _ x: UnsafePointer<Float>, count: Int, instructions: InstructionSet = .best
) -> Int {
    bp_index_of_largest(instructions.code, x, count)
}

/// Where the `n` largest numbers are, in rising order; of equal ones the first, of fewer than `n` all.
///
/// - Complexity: one pass that sorts 2 n candidates whenever there are as many: few times, wherever the
///   largest are.
package func indicesOfLargest(_ n: Int, of values: UnsafeBufferPointer<Float>) -> [Int] {
    guard n > 0 else { return [] }
    var found: [Int] = []
    func prune() {
        found.sort { (-values[$0], $0) < (-values[$1], $1) }
        found.removeLast(max(0, found.count - n))
    }
    var threshold = -Float.infinity
    for index in values.indices where values[index] > threshold || found.count < n {
        found.append(index)
        if found.count == 2 * n {
            prune()
            threshold = values[found[n - 1]]
        }
    }
    prune()
    return found.sorted()
}

/// KL(softmax p || softmax q) in nats, from logits; never negative, exactly 0 for equal rows, the same if a
/// constant is added to either row.
///
/// With P = softmax p, d = q - p and f(d) = e^d - 1 - d this is `log1p(sum P (f + d)) - sum P d`, which keeps
/// its relative accuracy where p and q are nearly equal. Finite logits, or minus infinity in both rows.
package func klDivergence(
    _ p: UnsafePointer<Float>, _ q: UnsafePointer<Float>, count: Int, instructions: InstructionSet = .best
) -> Double {
    bp_kl_divergence(instructions.code, p, q, count)
}

extension HadamardRotation {
    /// Replaces x, a row of `columns` numbers, by R x: the bits of `apply(to:)`, its reference twin.
    package func apply(to x: UnsafeMutablePointer<Float>, _ instructions: InstructionSet) {
        bp_rotate(instructions.code, signs, block, x, columns)
    }
}
