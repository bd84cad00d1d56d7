import BitplanTensors
import CBitplanKernels
import Foundation
import PlanFormat

extension Scheme.NormalFloat: RunnableScheme {
    var operatorType: any PackedOperator.Type { LevelCodeMatrix.self }
}

/// NormalFloat 4 run from its stored bytes: `W[i] = scales[i / block] * levels[code[i]]`, i counting
/// row-major.
///
/// Products are FP32: the levels are looked up in a register. Where rows are whole blocks, a row's sum runs
/// through each block in the order of the columns; elsewhere 64 rows at a time are decoded and multiplied as
/// FP32 weights. A token alone and in a batch gives the same bits.
///
/// - Parts: `codes` U8 (ceil(rows * columns / 2)), even weights in the low half of a byte, rows interleaved
///   where they are whole blocks (`Scheme.NormalFloat.isInterleaved`); `scales` F32 (blocks), or with double
///   quantization `scales` I8 (blocks), `scaleScales` F32 (ceil(blocks / 256)) and `scaleMean` F32 (1): a
///   scale is `scaleScale * code / 127 + scaleMean`.
/// - Source: QLoRA (Dettmers et al. 2023), section 3 and appendix E.
package final class LevelCodeMatrix: LinearOperator, PackedOperator {
    /// The 16 levels, ascending.
    private static let levels = NormalFloatLevels.values.map { Float($0) }

    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    private let block: Int
    /// Whether rows are interleaved.
    private let isInterleaved: Bool
    private let codes: Data
    /// In lanes of rows where rows are interleaved, else block by block.
    private let scales: [Float]
    private let instructions: InstructionSet

    /// An operator over the parts of `packed`. Codes are not copied.
    ///
    /// - Throws: `PackedMatrixError` where parts are missing or have another type or shape.
    package init(_ packed: PackedMatrix, instructions: InstructionSet = .best) throws(PackedMatrixError) {
        guard case .normalFloat(let scheme) = packed.scheme else { throw .notRunnable(packed.scheme) }
        try packed.checkParts()
        rows = packed.rows
        columns = packed.columns
        block = scheme.block
        isInterleaved = scheme.isInterleaved(columns: columns)
        self.instructions = min(instructions, .best)
        codes = try packed.part("codes").bytes
        let stored = try packed.part("scales")
        var scales = stored.floats
        if scheme.doubleQuantization {
            let scaleScales = try packed.part("scaleScales").floats
            let mean = try packed.part("scaleMean").floats[0]
            scales = stored.bytes.enumerated().map { index, byte in
                let code = Double(Int8(bitPattern: byte))
                let scale = scaleScales[index / Scheme.NormalFloat.scalesPerScale]
                return Float(Double(scale) * code / 127 + Double(mean))
            }
        }
        self.scales = isInterleaved ? lanes(scales, rows: rows, width: columns / block) : scales
    }

    /// Bytes of codes and scales.
    package var residentBytes: Int { codes.count + 4 * scales.count }

    /// `y = x W^T`, FP32.
    package func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        guard isInterleaved else {
            multiplyDecoded(x, tokens: tokens, into: y, instructions: instructions)
            return
        }
        codes.withUnsafeBytes { raw in
            ProductTeam.forEachPart(of: rows, work: codes.count * tokens) { [self] part in
                bp_levels_multiply(
                    instructions.code, raw.bindMemory(to: UInt8.self).baseAddress, Self.levels, rows, columns,
                    block, scales, x, tokens, part, y)
            }
        }
    }

    /// Row `row`, dequantized.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        guard isInterleaved else {
            codes.withUnsafeBytes { (raw: UnsafeRawBufferPointer) in
                for index in row * columns..<(row + 1) * columns {
                    let code = raw[index / 2] >> UInt8(index % 2 * 4) & 15
                    destination[index - row * columns] = Self.levels[Int(code)] * scales[index / block]
                }
            }
            return
        }
        InterleavedRows.withRow(row, of: codes, rows: rows, rowBytes: columns / 2) { bytes in
            for c in 0..<columns {
                let code = bytes[c / 2] >> UInt8(c % 2 * 4) & 15
                let scale = scales[(row / 16 * (columns / block) + c / block) * 16 + row % 16]
                destination[c] = Self.levels[Int(code)] * scale
            }
        }
    }
}
