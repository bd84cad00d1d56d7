import BitplanTensors
import CBitplanKernels

// The ways back of `VectorFunctions`: what a forward made of x becomes, for a gradient dy behind it, the
// gradient before it. Sums have one order in all instruction sets.

/// A function of every number.
package enum VectorFunction: Sendable {
    case relu, swish, geluErf, geluTanh
    /// Its way back takes the function's values, not its arguments.
    case tanh

    var code: bp_function {
        switch self {
        case .relu: BP_RELU
        case .swish: BP_SWISH
        case .geluErf: BP_GELU_ERF
        case .geluTanh: BP_GELU_TANH
        case .tanh: BP_TANH
        }
    }
}

/// `dy[i] *= f'(x[i])`; for `tanh`, `x` are the values `tanh` gave.
package func functionGradient(
    _ function: VectorFunction, _ x: UnsafePointer<Float>, count: Int, _ dy: UnsafeMutablePointer<Float>,
    instructions: InstructionSet = .best
) {
    bp_function_gradient(instructions.code, function.code, x, count, dy)
}

/// The way back of `layerNorm`: with `xh = (x - mean) r`, `r = 1 / sqrt(variance + epsilon)` and `u = gain
/// dy`, dy becomes `r (u - mean(u) - xh mean(u xh))`; `dy xh` is added to `gainGradient`, dy to
/// `biasGradient`.
///
/// - Parameters:
///   - x: the norm's input.
///   - biasGradient: nil for the root-mean-square norm, which neither centres nor has a bias.
package func normGradient(
    _ x: UnsafePointer<Float>, count: Int, gain: UnsafePointer<Float>, epsilon: Float,
    _ dy: UnsafeMutablePointer<Float>, gainGradient: UnsafeMutablePointer<Float>,
    biasGradient: UnsafeMutablePointer<Float>?, instructions: InstructionSet = .best
) {
    bp_norm_gradient(
        instructions.code, biasGradient == nil ? 0 : 1, x, count, gain, epsilon, dy, gainGradient,
        biasGradient)
}

/// `rows[j * stride + i] += weights[j] x[i]`: the ways back of `dotRows` and `combineRows`.
package func addOuter(
    _ weights: UnsafePointer<Float>, _ x: UnsafePointer<Float>, count: Int, dimension: Int,
    to rows: UnsafeMutablePointer<Float>, stride: Int, instructions: InstructionSet = .best
) {
    bp_add_outer(instructions.code, weights, x, count, dimension, rows, stride)
}

/// KL(softmax p || softmax q) in nats; q becomes its gradient by q times `factor`, `factor (softmax q -
/// softmax p)`, and p its probabilities.
package func klGradient(
    _ p: UnsafeMutablePointer<Float>, _ q: UnsafeMutablePointer<Float>, count: Int, factor: Float,
    instructions: InstructionSet = .best
) -> Double {
    let loss = klDivergence(p, q, count: count, instructions: instructions)
    softmax(p, count: count, instructions: instructions)
    softmax(q, count: count, instructions: instructions)
    bp_subtract_scaled(instructions.code, p, factor, q, count)
    return loss
}

/// The sums of a step of AdamW: how far it goes and what it remembers.
///
/// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, `w -= rate (m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) +
/// epsilon) + decay w)`.
/// - Source: Kingma and Ba 2015; Loshchilov and Hutter 2019 for the decay; the order of operations is
///   PyTorch's.
package struct AdamStep: Sendable {
    private var step: bp_adam

    /// The step number `t`, from 1, at a rate.
    ///
    /// - Parameter factor: what gradients are multiplied by first.
    package init(
        _ t: Int, rate: Float, beta1: Float, beta2: Float, epsilon: Float, decay: Float, factor: Float
    ) {
        step = bp_adam(
            rate: rate, b1: beta1, b2: beta2, c1: Float(Self.weight(beta1, t)),
            c2: Float(Self.weight(beta2, t)), epsilon: epsilon, decay: decay, factor: factor)
    }

    /// What the gradients of `t` steps weigh in a moment that began at 0: `1 - b^t`.
    private static func weight(_ beta: Float, _ t: Int) -> Double {
        1 - (0..<t).reduce(1.0) { value, _ in value * Double(beta) }
    }

    /// An epsilon of `share` times the root mean square that the second moments of all numbers have behind a
    /// step: numbers of few gradients, as those of rare tokens are, then move less than others, where Adam
    /// alone moves all alike.
    package static func relativeEpsilon(
        _ share: Float, _ t: Int, beta2: Float, factor: Float, gradient: [Float], v: [Float]
    ) -> Float {
        let squares = gradient.reduce(0.0) { $0 + Double($1) * Double($1) } * Double(factor) * Double(factor)
        let before = v.reduce(0.0) { $0 + Double($1) }
        let sum = Double(beta2) * before + Double(1 - beta2) * squares
        let mean = sum / Double(max(1, v.count)) / weight(beta2, t)
        return share * Float(mean.squareRoot())
    }

    /// Moves weights `w` by their gradient; `m` and `v` are the first and second moments so far.
    ///
    /// - Shapes: all of one length.
    package func apply(
        _ gradient: [Float], to w: inout [Float], m: inout [Float], v: inout [Float],
        instructions: InstructionSet = .best
    ) {
        precondition(
            gradient.count == w.count && w.count == m.count && w.count == v.count, "lengths differ")
        withUnsafePointer(to: step) { step in
            w.withUnsafeMutableBufferPointer { w in
                m.withUnsafeMutableBufferPointer { m in
                    v.withUnsafeMutableBufferPointer { v in
                        guard let w = w.baseAddress, let m = m.baseAddress, let v = v.baseAddress else {
                            return
                        }
                        bp_adam_step(instructions.code, step, gradient, gradient.count, w, m, v)
                    }
                }
            }
        }
    }
}

/// `dY^T X`, the gradient of the weights of a product `Y = X W^T`, summed over tokens in their order.
///
/// - Shapes: `dy` (tokens, rows), `x` (tokens, columns) gives (rows, columns).
package func weightGradient(_ dy: Matrix, _ x: Matrix, instructions: InstructionSet = .best) -> Matrix {
    var gradient = Matrix(rows: dy.columns, columns: x.columns)
    addWeightGradient(dy, x, to: &gradient, instructions: instructions)
    return gradient
}

/// Adds `dY^T X` to `gradient`.
///
/// - Shapes: `dy` (tokens, rows), `x` (tokens, columns), `gradient` (rows, columns).
package func addWeightGradient(
    _ dy: Matrix, _ x: Matrix, to gradient: inout Matrix, instructions: InstructionSet = .best
) {
    precondition(
        dy.rows == x.rows && gradient.rows == dy.columns && gradient.columns == x.columns,
        "gradients of (\(gradient.rows), \(gradient.columns)) from (\(dy.rows), \(dy.columns)) and (\(x.rows), \(x.columns))"
    )
    guard x.rows > 0, x.columns > 0 else { return }
    let panels = AlignedMemory(byteCount: 4 * bp_panels_count(x.columns, x.rows))
    let base = panels.base.assumingMemoryBound(to: Float.self)
    bp_panels_pack_transposed(x.storage, x.rows, x.columns, base)
    // Rows of dY^T take the part of tokens.
    withUnsafeTemporaryAllocation(of: Float.self, capacity: dy.storage.count) { turned in
        gradient.storage.withUnsafeMutableBufferPointer { y in
            guard let y = y.baseAddress, let turned = turned.baseAddress else { return }
            bp_transpose(dy.storage, dy.rows, dy.columns, turned)
            bp_panels_multiply_add(instructions.code, base, x.columns, x.rows, turned, dy.columns, y)
        }
    }
}
