import BitplanTensors
import CBitplanKernels
import Foundation
import PlanFormat

extension Scheme.Integers: RunnableScheme {
    var operatorType: any PackedOperator.Type { IntegerCodeMatrix.self }
}

extension Scheme.MinMaxIndex: RunnableScheme {
    var operatorType: any PackedOperator.Type { IntegerCodeMatrix.self }
}

extension Scheme.W8A8: RunnableScheme {
    var operatorType: any PackedOperator.Type { IntegerCodeMatrix.self }
}

/// Integers of 2 to 8 bits run from their stored bytes: `W[r, c] = scale * (code - zeroPoint)`.
///
/// The activations are rounded to 16 bits in runs of at most 256 columns (relative error of a product about
/// 2e-5), or for W8A8, by definition, to 8 bits a token: `round(127 x / max |x|)`. Sums are exact integers
/// within a run, and runs are added in one order: all instruction sets, and a token alone or in a batch, give
/// the same bits.
///
/// - Parts: `codes` U8 (rows, ceil(columns * bits / 8)), a row's codes side by side from the lowest bit, rows
///   interleaved; `scales` (units) and, where asymmetric, `zeroPoints` (units), F32 or F16, a unit being the
///   tensor, a row, or a group of columns in a row. Symmetric codes have the zero point 2^(bits - 1). 8-bit
///   index: `codes` I8 (rows, columns), `range` F32 (2), minimum and maximum. W8A8: `codes` I8 (rows,
///   columns), `scales` F32 (rows).
/// - Complexity: O(tokens * rows * columns).
/// - Source: QuantNoise (Stock, Fan et al. 2020), section 2; SensiMix (Piao et al. 2022) for the 8-bit index.
package final class IntegerCodeMatrix: PreparingOperator, PackedOperator {
    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    /// Bits of a code.
    package let bits: Int
    private let group: Int
    private let groups: Int
    private let isSigned: Bool
    private let activationBytes: Int
    private let codes: Data
    private let scales: [Float]
    /// What the middle code stands for; empty means 0.
    private let offsets: [Float]
    private let segments: [bp_segment]
    private let instructions: InstructionSet

    /// An operator over the parts of `packed`, of scheme `integers`, `minMaxIndex` or `w8a8`. Codes are not
    /// copied.
    ///
    /// - Throws: `PackedMatrixError` where parts are missing or have another type or shape.
    package init(_ packed: PackedMatrix, instructions: InstructionSet = .best) throws(PackedMatrixError) {
        let (rows, columns) = (packed.rows, packed.columns)
        try packed.checkParts()
        codes = try packed.part("codes").bytes
        var width: Int?
        // Scales and offsets per row and group, row-major.
        let scales: [Float]
        var offsets: [Float] = []
        switch packed.scheme {
        case .integers(let scheme):
            bits = scheme.bits
            isSigned = false
            activationBytes = 2
            width = scheme.columnsPerScale
            let stored = try packed.part("scales").floats
            let isShared = scheme.granularity == .tensor
            scales = isShared ? [Float](repeating: stored[0], count: rows) : stored
            if !scheme.symmetric {
                let zeroPoints = try packed.part("zeroPoints").floats
                let middle = Float(1 << (scheme.bits - 1))
                offsets = scales.indices.map { scales[$0] * (middle - zeroPoints[isShared ? 0 : $0]) }
            }
        case .minMaxIndex:
            bits = 8
            isSigned = true
            activationBytes = 2
            let range = try packed.part("range").floats
            let step = (Double(range[1]) - Double(range[0])) / 255
            scales = [Float](repeating: Float(step), count: rows)
            offsets = [Float](repeating: Float(Double(range[0]) + 128 * step), count: rows)
        case .w8a8:
            bits = 8
            isSigned = true
            activationBytes = 1
            scales = try packed.part("scales").floats
        default: throw .notRunnable(packed.scheme)
        }
        self.rows = rows
        self.columns = columns
        (group, groups) = BitplanKernels.groups(columns: columns, width: width)
        self.scales = lanes(scales, rows: rows, width: groups)
        self.offsets = offsets.isEmpty ? [] : lanes(offsets, rows: rows, width: groups)
        segments = BitplanKernels.segments(columns: columns, group: group)
        self.instructions = min(instructions, .best)
    }

    /// Bytes of codes, scales and offsets.
    package var residentBytes: Int { codes.count + 4 * (scales.count + offsets.count) }

    /// Integers of 16 or 8 bits, by columns and group.
    package var preparation: Preparation {
        Preparation(
            kind: .integers(bytes: activationBytes, group: group, instructions: instructions),
            columns: columns)
    }

    /// 2 bytes for each column and token.
    package func preparedBytes(tokens: Int) -> Int {
        tokens * bp_code_activations_size(segments, segments.count)
    }

    /// Rounds the activations.
    package func prepare(_ x: UnsafePointer<Float>, tokens: Int, into prepared: UnsafeMutableRawPointer) {
        bp_code_activations(
            instructions.code, x, columns, tokens, Int32(activationBytes), segments, segments.count,
            prepared.assumingMemoryBound(to: UInt8.self))
    }

    /// `y = x W^T` by integer products.
    package func multiply(prepared: UnsafeRawPointer, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        codes.withUnsafeBytes { raw in
            scales.withUnsafeBufferPointer { scales in
                offsets.withUnsafeBufferPointer { offsets in
                    let weights = bp_codes(
                        codes: raw.bindMemory(to: UInt8.self).baseAddress, bits: bits, rows: rows,
                        columns: columns,
                        groups: groups, scales: scales.baseAddress,
                        offsets: offsets.isEmpty ? nil : offsets.baseAddress, is_signed: isSigned ? 1 : 0,
                        act_bytes: Int32(activationBytes))
                    ProductTeam.forEachPart(of: rows, work: codes.count * tokens) { [self] part in
                        withUnsafePointer(to: weights) {
                            bp_codes_multiply(
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
        let (mask, flip, middle) = ((1 << bits) - 1, isSigned ? 128 : 0, 1 << (bits - 1))
        InterleavedRows.withRow(row, of: codes, rows: rows, rowBytes: ceilDivide(columns * bits, 8)) {
            bytes in
            for c in 0..<columns {
                let at = c * bits
                // A code that crosses into a byte goes on in the next one, which is then there.
                let next = at % 8 + bits > 8 ? Int(bytes[at / 8 + 1]) << 8 : 0
                let code = ((Int(bytes[at / 8]) | next) >> (at % 8) & mask) ^ flip
                let unit = (row / 16 * groups + c / group) * 16 + row % 16
                destination[c] = scales[unit] * Float(code - middle) + (offsets.isEmpty ? 0 : offsets[unit])
            }
        }
    }
}
