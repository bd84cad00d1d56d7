import BitplanTensors
import CBitplanKernels
import Foundation
import PlanFormat

/// NormalFloat 4 run from its stored bytes: `W[i] = scales[i / block] * levels[code[i]]`, i counting
/// row-major.
///
/// Products are FP32: the levels are looked up in a register. Where rows are whole blocks, a row's sum runs
/// through each block in the order of the columns; elsewhere 64 rows at a time are decoded and multiplied as
/// FP32 weights. A token alone and in a batch gives the same bits.
///
/// - Parts: `codes` U8 (ceil(rows * columns / 2)), even weights in the low half of a byte, rows interleaved
///   where `isInterleaved(columns:block:)`; `scales` F32 (blocks), or with double quantization `scales` I8
///   (blocks), `scaleScales` F32 (ceil(blocks / 256)) and `scaleMean` F32 (1): a scale is `scaleScale * code
///   / 127 + scaleMean`.
/// - Source: QLoRA (Dettmers et al. 2023), section 3 and appendix E.
package final class LevelCodeMatrix: LinearOperator {
    /// The 16 levels, ascending.
    static let levels: [Float] = [
        -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
        -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
        0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023,
        1,
    ]

    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    private let block: Int
    private let codes: Data
    /// In lanes of rows where rows are interleaved, else block by block.
    private let scales: [Float]
    private let instructions: InstructionSet

    /// Whether rows of this many columns are stored interleaved: they are whole blocks, and blocks whole
    /// vectors.
    package static func isInterleaved(columns: Int, block: Int) -> Bool {
        block % 32 == 0 && columns % block == 0
    }

    /// An operator over the parts of `packed`. Codes are not copied.
    ///
    /// - Throws: `PackedMatrixError` where parts are missing or have another type or shape.
    package init(_ packed: PackedMatrix, instructions: InstructionSet = .best) throws(PackedMatrixError) {
        guard case .normalFloat4(let block, let doubleQuantization) = packed.scheme else {
            throw .notRunnable(packed.scheme)
        }
        rows = packed.rows
        columns = packed.columns
        self.block = block
        self.instructions = min(instructions, .best)
        let count = (rows * columns + block - 1) / block
        codes = try packed.part("codes", .uint8, [(rows * columns + 1) / 2]).bytes
        let scales: [Float]
        if doubleQuantization {
            let stored = try packed.part("scales", .int8, [count]).bytes
            let scaleScales = try packed.numbers("scaleScales", .fp32, [(count + 255) / 256])
            let mean = try packed.numbers("scaleMean", .fp32, [1])[0]
            scales = stored.enumerated().map { index, byte in
                let code = Double(Int8(bitPattern: byte))
                return Float(Double(scaleScales[index / 256]) * code / 127 + Double(mean))
            }
        } else {
            scales = try packed.numbers("scales", .fp32, [count])
        }
        self.scales =
            Self.isInterleaved(columns: columns, block: block)
            ? lanes(scales, rows: rows, width: columns / block) : scales
    }

    /// Bytes of codes and scales.
    package var residentBytes: Int { codes.count + 4 * scales.count }

    /// `y = x W^T`, FP32.
    package func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        guard Self.isInterleaved(columns: columns, block: block) else {
            multiplyDecoded(x, tokens: tokens, into: y, instructions: instructions)
            return
        }
        codes.withUnsafeBytes { raw in
            bp_levels_multiply(
                instructions.code, raw.bindMemory(to: UInt8.self).baseAddress, Self.levels, rows, columns,
                block, scales,
                x, tokens, y)
        }
    }

    /// Row `row`, dequantized.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        guard Self.isInterleaved(columns: columns, block: block) else {
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
