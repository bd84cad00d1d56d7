import BitplanTensors
import CBitplanKernels
import Foundation
import PlanFormat

extension Scheme.Signs: RunnableScheme {
    var operatorType: any PackedOperator.Type { SignMatrix.self }
}

/// Signs times signs, run from stored bits: `y = scale * sum_c sign(W[r, c]) sign(x[c])`, sign(x) being +1
/// where x > 0, else -1.
///
/// Exact: the sum is the number of columns less twice the number of differing bits.
///
/// - Parts: `signs` U8 (rows, ceil(columns / 8)), interleaved, bit c % 8 of byte c / 8 being column c, 1 for
///   +1; `scale` F32 (1) where scaled, else 1.
/// - Source: SensiMix (Piao et al. 2022); XNOR-Net (Rastegari et al. 2016).
package final class SignMatrix: PreparingOperator, PackedOperator {
    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    private let scale: Float
    private let signs: Data
    private let instructions: InstructionSet

    /// An operator over the parts of `packed`. Signs are not copied.
    ///
    /// - Throws: `PackedMatrixError` where parts are missing or have another type or shape.
    package init(_ packed: PackedMatrix, instructions: InstructionSet = .best) throws(PackedMatrixError) {
        guard case .signs(let scheme) = packed.scheme else { throw .notRunnable(packed.scheme) }
        try packed.checkParts()
        rows = packed.rows
        columns = packed.columns
        signs = try packed.part("signs").bytes
        scale = scheme.scaled ? try packed.part("scale").floats[0] : 1
        self.instructions = min(instructions, .best)
    }

    /// Bytes of the signs.
    package var residentBytes: Int { signs.count + 4 }

    /// One bit a column.
    package var preparation: Preparation { Preparation(kind: .signs, columns: columns) }

    /// 4 bytes for each 32 columns.
    package func preparedBytes(tokens: Int) -> Int { tokens * (ceilDivide(columns, 32) * 4) }

    /// The signs of the activations.
    package func prepare(_ x: UnsafePointer<Float>, tokens: Int, into prepared: UnsafeMutableRawPointer) {
        bp_sign_bits(instructions.code, x, columns, tokens, prepared.assumingMemoryBound(to: UInt32.self))
    }

    /// `y = scale * sign(x) sign(W)^T`.
    package func multiply(prepared: UnsafeRawPointer, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        signs.withUnsafeBytes { raw in
            ProductTeam.forEachPart(of: rows, work: signs.count * tokens) { [self] part in
                bp_xnor_multiply(
                    instructions.code, raw.bindMemory(to: UInt8.self).baseAddress, rows, columns, scale,
                    prepared.assumingMemoryBound(to: UInt32.self), tokens, part, y)
            }
        }
    }

    /// Row `row` of the weights: plus or minus the scale.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        InterleavedRows.withRow(row, of: signs, rows: rows, rowBytes: ceilDivide(columns, 8)) { bytes in
            for c in 0..<columns { destination[c] = bytes[c / 8] >> UInt8(c % 8) & 1 == 1 ? scale : -scale }
        }
    }
}
