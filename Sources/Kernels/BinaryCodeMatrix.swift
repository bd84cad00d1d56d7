import BitplanTensors
import CBitplanKernels
import Foundation
import PlanFormat

extension Scheme.BinaryCodes: RunnableScheme {
    var operatorType: any PackedOperator.Type { BinaryCodeMatrix.self }
}

extension Scheme.BitLinear: RunnableScheme {
    var operatorType: any PackedOperator.Type { BinaryCodeMatrix.self }
}

/// Binary codes run from their stored bytes: `W[r, c] = sum_p alphas[r, c / group, p] * signs[p][r][c]`.
///
/// The activations are rounded in runs of at most 256 columns, each with its own scale, so an outlier costs
/// precision only near itself: so that the largest sum of the magnitudes of 4 neighbours is 4093, which is 12
/// bits for most activations and 13 for an outlier (relative error of a product about 4e-4). Per 4 columns
/// the 16 possible signed sums are put in a table; 4 weights of a plane are then one look-up. With AMX,
/// batches are multiplied as bytes in tiles. Sums are exact integers within a run, and runs and planes are
/// added in one order: all instruction sets, and a token alone or in a batch, give the same bits.
///
/// BitLinear is the same product with one plane, where the activations are normalised and rounded to 8 bits
/// first.
///
/// - Parts: `signs` U8 (bits, rows, ceil(columns / 8)), interleaved; `alphas` F32 or F16 (rows, groups,
///   bits). BitLinear: `signs` U8 (rows, ceil(columns / 8)); `scales` F32 (groups), group g having the rows
///   from `rows g / G` on.
/// - Complexity: O(tokens * rows * columns * bits / 4) look-ups.
/// - Source: Chung et al. 2020, section 3.1 (the format); Jeon et al. 2020, "BiQGEMM" (products by tables of
///   signed sums); BitNet (Wang et al. 2023), equations 4 to 11.
package final class BinaryCodeMatrix: PreparingOperator, PackedOperator {
    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    /// Planes.
    package let bits: Int
    private let group: Int
    private let groups: Int
    private let normalizes: Bool
    private let signs: Data
    /// Signs as products read them: turned, or `signs` themselves.
    private let readSigns: Data
    private let alphas: [Float]
    private let segments: [bp_segment]
    private let instructions: InstructionSet

    /// An operator over the parts of `packed`, of scheme `binaryCodes` or `bitLinear`. Signs are copied
    /// where AVX2 or NEON wants them turned (`bp_signs_turn`); else they are read where they lie.
    ///
    /// - Throws: `PackedMatrixError` where parts are missing or have another type or shape.
    package convenience init(_ packed: PackedMatrix, instructions: InstructionSet = .best)
        throws(PackedMatrixError)
    {
        let (rows, columns) = (packed.rows, packed.columns)
        try packed.checkParts()
        let signs = try packed.part("signs").bytes
        switch packed.scheme {
        case .binaryCodes(let codes):
            self.init(
                signs: signs, alphas: try packed.part("alphas").floats, bits: codes.bits, rows: rows,
                columns: columns, group: codes.group, normalizes: false, instructions: instructions)
        case .bitLinear(let codes):
            let scales = try packed.part("scales").floats
            var alphas = [Float](repeating: 0, count: rows)
            for group in 0..<codes.groups {
                for row in codes.rows(of: group, rows: rows) { alphas[row] = scales[group] }
            }
            self.init(
                signs: signs, alphas: alphas, bits: 1, rows: rows, columns: columns, group: nil,
                normalizes: true, instructions: instructions)
        default: throw .notRunnable(packed.scheme)
        }
    }

    init(
        signs: Data, alphas: [Float], bits: Int, rows: Int, columns: Int, group: Int?, normalizes: Bool,
        instructions: InstructionSet
    ) {
        let (width, count) = BitplanKernels.groups(columns: columns, width: group)
        self.rows = rows
        self.columns = columns
        self.bits = bits
        self.group = width
        self.groups = count
        self.normalizes = normalizes
        self.signs = signs
        readSigns = Self.turned(signs, bits, rows, columns, min(instructions, .best))
        self.alphas = lanes(alphas, rows: rows, width: count * bits)
        self.segments = BitplanKernels.segments(columns: columns, group: width)
        self.instructions = min(instructions, .best)
    }

    private static func turned(
        _ signs: Data, _ bits: Int, _ rows: Int, _ columns: Int, _ instructions: InstructionSet
    ) -> Data {
        guard bp_signs_are_turned(instructions.code) != 0 else { return signs }
        var turned = Data(count: signs.count)
        signs.withUnsafeBytes { from in
            turned.withUnsafeMutableBytes { to in
                bp_signs_turn(
                    from.bindMemory(to: UInt8.self).baseAddress, bits, rows, columns,
                    to.bindMemory(to: UInt8.self).baseAddress)
            }
        }
        return turned
    }

    /// Bytes of signs, as products read them, and of alphas.
    package var residentBytes: Int { signs.count + 4 * alphas.count }

    /// Tables of signed sums, by columns and group.
    package var preparation: Preparation {
        Preparation(
            kind: normalizes
                ? .bitLinearTables(instructions: instructions)
                : .signTables(group: group, instructions: instructions), columns: columns)
    }

    /// 8 bytes of tables for each column and token; 2 where tiles are used.
    package func preparedBytes(tokens: Int) -> Int {
        bp_sign_tables_size(instructions.code, segments, segments.count, tokens)
    }

    /// Rounds the activations and makes their tables.
    package func prepare(_ x: UnsafePointer<Float>, tokens: Int, into prepared: UnsafeMutableRawPointer) {
        let tables = prepared.assumingMemoryBound(to: UInt8.self)
        if normalizes {
            bp_bitlinear_tables(instructions.code, x, columns, tokens, segments, segments.count, tables)
        } else {
            bp_sign_tables(instructions.code, x, columns, tokens, segments, segments.count, tables)
        }
    }

    /// `y = x W^T` by look-ups.
    package func multiply(prepared: UnsafeRawPointer, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        readSigns.withUnsafeBytes { raw in
            ProductTeam.forEachPart(of: rows, work: signs.count * tokens) { [self] part in
                bp_signs_multiply(
                    instructions.code, raw.bindMemory(to: UInt8.self).baseAddress, bits, rows, columns,
                    alphas, groups, segments, segments.count, prepared.assumingMemoryBound(to: UInt8.self),
                    tokens, part, y)
            }
        }
    }

    /// Row `row`, dequantized.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        for c in 0..<columns { destination[c] = 0 }
        for p in 0..<bits {
            InterleavedRows.withRow(
                row, plane: p, of: signs, planes: bits, rows: rows, rowBytes: ceilDivide(columns, 8)
            ) {
                bytes in
                for g in 0..<groups {
                    let alpha = alphas[((row / 16 * groups + g) * bits + p) * 16 + row % 16]
                    for c in g * group..<min((g + 1) * group, columns) {
                        destination[c] += bytes[c / 8] >> UInt8(c % 8) & 1 == 1 ? alpha : -alpha
                    }
                }
            }
        }
    }
}
