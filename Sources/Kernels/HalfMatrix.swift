import BitplanTensors
import CBitplanKernels
import Foundation
import PlanFormat

/// FP16 weights behind the `LinearOperator` protocol, repacked once in the panels of `DenseMatrix` and kept
/// as halves.
///
/// Halves are converted on the way to the registers, or, for several tokens, 64 rows at a time: the results
/// are those of `DenseMatrix` on the converted weights, bit for bit, from half the memory.
///
/// - Parts: `weights` F16 (rows, columns), row-major.
/// - Complexity: as `DenseMatrix`.
package final class HalfMatrix: LinearOperator, PackedOperator {
    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    private let panels: AlignedMemory
    private let instructions: InstructionSet

    /// An operator over a copy of the weights of `packed`, of scheme `fp16`.
    ///
    /// - Throws: `PackedMatrixError` where `weights` is missing or has another type or shape.
    package init(_ packed: PackedMatrix, instructions: InstructionSet = .best) throws(PackedMatrixError) {
        guard packed.scheme == .full(.fp16) else { throw .notRunnable(packed.scheme) }
        try packed.checkParts()
        rows = packed.rows
        columns = packed.columns
        self.instructions = min(instructions, .best)
        let weights = try packed.part("weights")
        panels = AlignedMemory(byteCount: 2 * bp_panels_count(rows, columns))
        // A file's bytes need not lie on two.
        let halves = [UInt16](unsafeUninitializedCapacity: rows * columns) { buffer, count in
            count = weights.bytes.copyBytes(to: buffer) / 2
        }
        bp_half_panels_pack(halves, rows, columns, panels.base.assumingMemoryBound(to: UInt16.self))
    }

    /// Bytes of the panels.
    package var residentBytes: Int { panels.byteCount }

    /// `y = x W^T`, FP32 sums.
    package func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        ProductTeam.forEachPart(of: rows, work: panels.byteCount * tokens) { [self] part in
            withUnsafeTemporaryAllocation(byteCount: max(256 * columns, 64), alignment: 64) { scratch in
                bp_half_panels_multiply(
                    instructions.code, panels.base.assumingMemoryBound(to: UInt16.self), rows, columns, x,
                    tokens, part, y, scratch.baseAddress?.assumingMemoryBound(to: Float.self))
            }
        }
    }

    /// Row `row` of W, converted.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        let panel = panels.base.assumingMemoryBound(to: UInt16.self) + row / 64 * 64 * columns + row % 64
        for c in 0..<columns { destination[c] = HalfPrecision.widen(panel[64 * c]) }
    }
}
