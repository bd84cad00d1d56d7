import BitplanTensors
import CBitplanKernels
import Foundation
import PlanFormat

extension Scheme.TrellisCodes: RunnableScheme {
    var operatorType: any PackedOperator.Type { TrellisCodeMatrix.self }
}

/// Trellis codes run from their stored bytes: `W[r, c] = scales[r] * columnScales[c] * value(window)`, the
/// window being the 8 bits of the column's stream that end with the row's symbol; with a rotation the product
/// is `y = W (R x)`.
///
/// The activations are rotated, multiplied by the columns' scales and rounded, once for all matrices that
/// share these: to 16 bits in runs of at most 512 columns (relative error of a product about 3e-5), or to 8
/// bits a token where a caller trades precision for speed. A weight is the sum of two table entries below 64,
/// so products of bytes never overflow. One token meets the weights as they are decoded; for more tokens 8
/// rows at a time are decoded once. Sums are exact integers within a run, and runs are added in one order:
/// all instruction sets, and a token alone or in a batch, give the same bits.
///
/// - Parts: `codes` U8 (lines, columns), `scales` F16 (rows), `columnScales` F16 (columns) where the scheme
///   has them (Layouts.md).
/// - Complexity: O(tokens * rows * columns).
/// - Source: Marcellin and Fischer 1990 (trellis codes); Tseng et al. 2024, "QTIP" (for weights).
package final class TrellisCodeMatrix: PreparingOperator, PackedOperator {
    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    private let pairBits: Int
    private let table: TrellisTable
    /// Of all windows.
    private let levels: [Float]
    private let codes: Data
    /// The windows before the first row of the last segment, where that is short.
    private let opening: [UInt8]
    /// Of rows, in lanes.
    private let scales: [Float]
    /// Empty where the scheme has none.
    private let columnScales: [Float]
    private let rotation: HadamardRotation?
    private let activationBytes: Int
    private let instructions: InstructionSet

    /// An operator over the parts of `packed`, of scheme `trellisCodes`. Codes are not copied.
    ///
    /// - Throws: `PackedMatrixError` where parts are missing or have another type or shape, or a rotation
    ///   does not fit the columns.
    package convenience init(_ packed: PackedMatrix, instructions: InstructionSet = .best)
        throws(PackedMatrixError)
    {
        try self.init(packed, activationBytes: 2, instructions: instructions)
    }

    /// The same with activations of 2 bytes or of 1.
    package init(_ packed: PackedMatrix, activationBytes: Int, instructions: InstructionSet = .best)
        throws(PackedMatrixError)
    {
        precondition(
            (1...2).contains(activationBytes), "activations of \(activationBytes) bytes, not of 1 or 2")
        guard case .trellisCodes(let scheme) = packed.scheme else { throw .notRunnable(packed.scheme) }
        try packed.checkParts()
        let (rows, columns) = (packed.rows, packed.columns)
        self.rows = rows
        self.columns = columns
        self.activationBytes = activationBytes
        self.instructions = min(instructions, .best)
        pairBits = scheme.pairBits
        table = TrellisTable.pairBits(scheme.pairBits)
        levels = table.values
        let codes = try packed.part("codes").bytes
        self.codes = codes
        opening = [UInt8](unsafeUninitializedCapacity: columns) { buffer, count in
            codes.withUnsafeBytes {
                bp_trellis_opening(
                    $0.bindMemory(to: UInt8.self).baseAddress, scheme.pairBits, rows, columns,
                    buffer.baseAddress)
            }
            count = columns
        }
        scales = lanes(try packed.part("scales").floats, rows: rows, width: 1)
        columnScales = scheme.columnScales ? try packed.part("columnScales").floats : []
        rotation = scheme.rotation ? HadamardRotation(columns: columns) : nil
        guard scheme.rotation == (rotation != nil) else {
            throw .wrongShape(
                scheme: packed.scheme, rows: rows, columns: columns,
                expected: HadamardRotation.expectedColumns)
        }
    }

    /// Bytes of codes, scales and the last segment's windows.
    package var residentBytes: Int {
        codes.count + opening.count + 4 * (scales.count + columnScales.count)
    }

    /// Integers of 16 or 8 bits, by columns, rotation and columns' scales.
    package var preparation: Preparation {
        Preparation(
            kind: .trellisIntegers(
                bytes: activationBytes, rotated: rotation != nil, columnScales: columnScales,
                instructions: instructions), columns: columns)
    }

    /// 2 bytes for each column and token.
    package func preparedBytes(tokens: Int) -> Int { tokens * bp_trellis_activations_size(columns) }

    /// Rotates, scales and rounds the activations.
    package func prepare(_ x: UnsafePointer<Float>, tokens: Int, into prepared: UnsafeMutableRawPointer) {
        guard rotation != nil || !columnScales.isEmpty else {
            return round(x, tokens: tokens, into: prepared)
        }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, tokens * columns)) { scratch in
            guard let base = scratch.baseAddress else { return }
            base.update(from: x, count: tokens * columns)
            for token in 0..<tokens {
                let row = base + token * columns
                rotation?.apply(to: row, instructions)
                for (c, scale) in columnScales.enumerated() { row[c] *= scale }
            }
            round(base, tokens: tokens, into: prepared)
        }
    }

    private func round(_ x: UnsafePointer<Float>, tokens: Int, into prepared: UnsafeMutableRawPointer) {
        bp_trellis_activations(
            instructions.code, x, columns, tokens, Int32(activationBytes),
            prepared.assumingMemoryBound(to: UInt8.self))
    }

    /// `y = x W^T` by integer products.
    package func multiply(prepared: UnsafeRawPointer, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        withWeights { weights in
            ProductTeam.forEachPart(of: rows, work: codes.count * tokens) { [self] part in
                bp_trellis_multiply(
                    instructions.code, weights, prepared.assumingMemoryBound(to: UInt8.self), tokens, part, y)
            }
        }
    }

    /// Row `row`, dequantized, in the basis of the inputs.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(1, columns)) { windows in
            withWeights { bp_trellis_windows($0, row, windows.baseAddress) }
            for c in 0..<columns {
                let scale = scales[row] * (columnScales.isEmpty ? 1 : columnScales[c])
                destination[c] = scale * levels[Int(windows[c])]
            }
        }
        rotation?.applyTranspose(to: destination)
    }

    private func withWeights(_ body: (UnsafePointer<bp_trellis>) -> Void) {
        codes.withUnsafeBytes { raw in
            opening.withUnsafeBufferPointer { opening in
                scales.withUnsafeBufferPointer { scales in
                    table.high.withUnsafeBufferPointer { high in
                        table.low.withUnsafeBufferPointer { low in
                            var weights = bp_trellis(
                                codes: raw.bindMemory(to: UInt8.self).baseAddress, code_bytes: codes.count,
                                opening: opening.baseAddress, pair_bits: pairBits, rows: rows,
                                columns: columns,
                                high: high.baseAddress, low: low.baseAddress, offset: table.offset,
                                step: table.step,
                                scales: scales.baseAddress, act_bytes: Int32(activationBytes))
                            body(&weights)
                        }
                    }
                }
            }
        }
    }
}
