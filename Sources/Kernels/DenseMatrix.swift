import BitplanTensors
import CBitplanKernels
import PlanFormat

/// FP32 weights behind the `LinearOperator` protocol, repacked once for the product.
///
/// The weights lie in panels of 64 rows; panel p holds, for each column in turn, the weights of rows 64 p to
/// 64 p + 63. A product keeps a tile of 6 tokens by 64 rows in registers. Every output is one chain of
/// multiply-adds in the order of the columns, whatever the number of tokens: a token's result in a batch
/// equals its result alone, bit for bit, and so do the results of all instruction sets with fused
/// multiply-add.
///
/// - Complexity: `multiply` takes O(tokens * rows * columns), and as much memory as the result.
package final class DenseMatrix: LinearOperator, PackedOperator {
    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    private let panels: AlignedMemory
    private let instructions: InstructionSet

    /// An operator over a copy of `matrix`.
    package init(_ matrix: Matrix, instructions: InstructionSet = .best) {
        rows = matrix.rows
        columns = matrix.columns
        self.instructions = min(instructions, .best)
        panels = AlignedMemory(byteCount: 4 * bp_panels_count(rows, columns))
        matrix.storage.withUnsafeBufferPointer {
            guard let weights = $0.baseAddress else { return }
            bp_panels_pack(weights, rows, columns, panels.base.assumingMemoryBound(to: Float.self))
        }
    }

    /// An operator over a copy of the weights of `packed`, of scheme `fp32`.
    ///
    /// - Throws: `PackedMatrixError` where `weights` is missing or has another type or shape.
    package convenience init(_ packed: PackedMatrix, instructions: InstructionSet = .best)
        throws(PackedMatrixError)
    {
        guard packed.scheme == .fp32 else { throw .notRunnable(packed.scheme) }
        try packed.checkParts()
        let weights = Matrix(
            rows: packed.rows, columns: packed.columns, storage: try packed.part("weights").floats)
        self.init(weights, instructions: instructions)
    }

    /// Bytes of the panels.
    package var residentBytes: Int { panels.byteCount }

    /// `y = x W^T`, FP32.
    package func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        ProductTeam.forEachPart(of: rows, work: panels.byteCount * tokens) { [self] part in
            bp_panels_multiply_into(
                instructions.code, panels.base.assumingMemoryBound(to: Float.self) + part.first * columns,
                part.end - part.first, columns, x, tokens, y + part.first, rows)
        }
    }

    /// Row `row` of W, as it was given.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        bp_panels_copy_row(panels.base.assumingMemoryBound(to: Float.self), columns, row, destination)
    }
}
