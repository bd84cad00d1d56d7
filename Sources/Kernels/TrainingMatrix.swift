import BitplanTensors
import CBitplanKernels
import PlanFormat

/// FP32 weights behind products in both directions: `y = x W^T`, and `dx = dy W` for training.
///
/// Weights of a scheme that quantizes its activations meet activations that are quantized likewise, so that
/// training sees what the packed model computes, to rounding. The way back takes the quantizer as the
/// identity (a straight-through estimator); behind a normalization it is that of the normalization, and for
/// signs of activations it ends where they leave [-1, 1].
/// - Source: Bengio et al. 2013; BitNet (Wang et al. 2023); XNOR-Net (Rastegari et al. 2016) for the clip.
package final class TrainingMatrix: LinearOperator {
    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    private let activations: Activations
    private let forward: AlignedMemory
    private let backward: AlignedMemory
    private let instructions: InstructionSet

    /// An operator over a copy of `matrix`.
    ///
    /// - Parameter activations: how the scheme takes its activations.
    package init(
        _ matrix: Matrix, activations: Activations = .fp32, instructions: InstructionSet = .best
    ) {
        rows = matrix.rows
        columns = matrix.columns
        self.activations = activations
        self.instructions = min(instructions, .best)
        forward = AlignedMemory(byteCount: 4 * bp_panels_count(rows, columns))
        backward = AlignedMemory(byteCount: 4 * bp_panels_count(columns, rows))
        matrix.storage.withUnsafeBufferPointer {
            guard let weights = $0.baseAddress else { return }
            bp_panels_pack(weights, rows, columns, forward.base.assumingMemoryBound(to: Float.self))
            bp_panels_pack_transposed(
                weights, rows, columns, backward.base.assumingMemoryBound(to: Float.self))
        }
    }

    /// Bytes of the panels.
    package var residentBytes: Int { forward.byteCount + backward.byteCount }

    /// `y = x W^T`, of activations as the scheme takes them.
    package func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        let panels = forward.base.assumingMemoryBound(to: Float.self)
        guard activations.quantizedBits != nil else {
            return bp_panels_multiply(instructions.code, panels, rows, columns, x, tokens, y)
        }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, tokens * columns)) { quantized in
            guard let base = quantized.baseAddress else { return }
            base.update(from: x, count: tokens * columns)
            for token in 0..<tokens { activations.quantize(base + token * columns, count: columns) }
            bp_panels_multiply(instructions.code, panels, rows, columns, base, tokens, y)
        }
    }

    /// Row `row` of W.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        bp_panels_copy_row(forward.base.assumingMemoryBound(to: Float.self), columns, row, destination)
    }

    /// What the weights are multiplied with where the layer's input is `x`.
    package func multiplied(_ x: Matrix) -> Matrix {
        guard activations.quantizedBits != nil else { return x }
        var quantized = x
        quantized.forEachRow { activations.quantize($0, count: columns) }
        return quantized
    }

    /// The gradient of the input, `dy W` through the quantizer of activations.
    ///
    /// - Shapes: `dy` (tokens, rows), `x` (tokens, columns) gives (tokens, columns).
    package func inputGradient(_ dy: Matrix, input x: Matrix) -> Matrix {
        precondition(dy.columns == rows, "gradients of \(dy.columns) channels, the matrix has \(rows) rows")
        var dx = Matrix(rows: dy.rows, columns: columns)
        dx.storage.withUnsafeMutableBufferPointer { dx in
            guard let dx = dx.baseAddress else { return }
            bp_panels_multiply(
                instructions.code, backward.base.assumingMemoryBound(to: Float.self), columns, rows,
                dy.storage,
                dy.rows, dx)
        }
        guard case .quantized(let bits, let normalized) = activations else { return dx }
        if normalized {
            let ones = [Float](repeating: 1, count: columns)
            var unused = ones
            var unusedBias = ones
            for row in 0..<x.rows {
                dx.storage.withUnsafeMutableBufferPointer { dx in
                    x.storage.withUnsafeBufferPointer { x in
                        guard let x = x.baseAddress, let dx = dx.baseAddress else { return }
                        normGradient(
                            x + row * columns, count: columns, gain: ones, epsilon: Activations.normEpsilon,
                            dx + row * columns, gainGradient: &unused, biasGradient: &unusedBias)
                    }
                }
            }
        } else if bits == 1 {
            for (index, value) in x.storage.enumerated() where abs(value) > 1 { dx.storage[index] = 0 }
        }
        return dx
    }
}

extension LinearOperator {
    /// What the weights are multiplied with where the layer's input is `x`: `x`, unless the scheme quantizes
    /// activations.
    package func multiplied(_ x: Matrix) -> Matrix { (self as? TrainingMatrix)?.multiplied(x) ?? x }

    /// The gradient `dy W` of the input of `y = x W^T`; operators that are not made for training decode
    /// their weights for it.
    ///
    /// - Shapes: `dy` (tokens, rows), `x` (tokens, columns) gives (tokens, columns).
    package func inputGradient(_ dy: Matrix, input x: Matrix) -> Matrix {
        (self as? TrainingMatrix ?? TrainingMatrix(decoded())).inputGradient(dy, input: x)
    }
}

extension Matrix {
    /// Runs `body` on every row.
    fileprivate mutating func forEachRow(_ body: (UnsafeMutablePointer<Float>) -> Void) {
        let columns = columns
        storage.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for start in stride(from: 0, to: buffer.count, by: max(1, columns)) { body(base + start) }
        }
    }
}
