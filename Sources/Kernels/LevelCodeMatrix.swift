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
/// Where rows are whole blocks, products are of integers: levels are rounded to 12 bits, activations in runs
/// of at most 256 columns of a block to as many bits as let a sum fit 32, which are 15 for blocks of 64
/// (relative error of a product about 3e-4). All instruction sets, and a token alone or in a batch, give the
/// same bits. Elsewhere 64 rows at a time are decoded and multiplied as FP32 weights.
///
/// - Parts: `codes` U8 (ceil(rows * columns / 2)), even weights in the low half of a byte, rows interleaved
///   where they are whole blocks (`Scheme.NormalFloat.isInterleaved`); `scales` F32 (blocks), or with double
///   quantization `scales` I8 (blocks), `scaleScales` F32 (ceil(blocks / 256)) and `scaleMean` F32 (1): a
///   scale is `scaleScale * code / 127 + scaleMean`.
/// - Source: QLoRA (Dettmers et al. 2023), section 3 and appendix E.
package final class LevelCodeMatrix: PreparingOperator, PackedOperator {
    /// The 16 levels, ascending.
    private static let levels = NormalFloatLevels.values.map { Float($0) }
    /// Them as products have them, integers.
    private static let integerLevels = NormalFloatLevels.values.map {
        Int16(($0 * Double(BP_LARGEST_LEVEL)).rounded())
    }

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
    private let segments: [bp_segment]
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
        segments = isInterleaved ? BitplanKernels.segments(columns: columns, group: block) : []
    }

    /// Bytes of codes and scales.
    package var residentBytes: Int { codes.count + 4 * scales.count }

    /// Itself where rows are whole blocks: elsewhere activations stay as they are.
    package var preparing: (any PreparingOperator)? { isInterleaved ? self : nil }

    /// Integers of up to 16 bits, by columns and block.
    package var preparation: Preparation {
        Preparation(kind: .levelIntegers(block: block, instructions: instructions), columns: columns)
    }

    /// 2 bytes for each column and token.
    package func preparedBytes(tokens: Int) -> Int {
        tokens * bp_code_activations_size(segments, segments.count)
    }

    /// Rounds the activations.
    package func prepare(_ x: UnsafePointer<Float>, tokens: Int, into prepared: UnsafeMutableRawPointer) {
        bp_level_activations(
            instructions.code, x, columns, tokens, segments, segments.count,
            prepared.assumingMemoryBound(to: UInt8.self))
    }

    /// `y = x W^T`, of integers where rows are whole blocks.
    package func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        guard isInterleaved else {
            multiplyDecoded(x, tokens: tokens, into: y, instructions: instructions)
            return
        }
        forEachBatch(x, tokens: tokens) { prepared, batch in
            multiply(prepared: prepared, tokens: batch.count, into: y + batch.lowerBound * rows)
        }
    }

    /// `y = x W^T` by integer products.
    package func multiply(prepared: UnsafeRawPointer, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        codes.withUnsafeBytes { raw in
            Self.integerLevels.withUnsafeBufferPointer { levels in
                scales.withUnsafeBufferPointer { scales in
                    let weights = bp_levels(
                        codes: raw.bindMemory(to: UInt8.self).baseAddress, levels: levels.baseAddress,
                        rows: rows, columns: columns, groups: columns / block, scales: scales.baseAddress)
                    ProductTeam.forEachPart(of: rows, work: codes.count * tokens) { [self] part in
                        withUnsafePointer(to: weights) {
                            bp_levels_multiply(
                                instructions.code, $0, segments, segments.count,
                                prepared.assumingMemoryBound(to: UInt8.self), tokens, part, y)
                        }
                    }
                }
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
