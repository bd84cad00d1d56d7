import CKernels
import Foundation
import PlanFormat
import Tensors

/// Binary codes run from their stored bytes: `W[r, c] = sum_p alphas[r, c / group, p] * signs[p][r][c]`.
///
/// The activations are rounded to 14 bits in runs of at most 256 columns, each with its own scale, so an outlier costs
/// precision only near itself (relative error of a product about 1e-4). Per 4 columns the 16 possible signed sums are put
/// in a table; 4 weights of a plane are then one look-up. Sums are exact integers within a run, and runs and planes are
/// added in one order: all instruction sets, and a token alone or in a batch, give the same bits.
///
/// - Parts: `signs` U8 (bits, rows, ceil(columns / 8)) in the order of `SignPlanes`; `alphas` F32 or F16
///   (rows, groups, bits).
/// - Complexity: O(tokens * rows * columns * bits / 4) look-ups.
/// - Source: Chung et al. 2020, section 3.1 (the format); Jeon et al. 2020, "BiQGEMM" (products by tables of signed sums).
public final class BinaryCodeMatrix: PreparingOperator {
    /// Output channels.
    public let rows: Int
    /// Input channels.
    public let columns: Int
    /// Planes.
    public let bits: Int
    private let group: Int
    private let groups: Int
    private let signs: Data
    private let alphas: [Float]
    private let segments: [bp_segment]
    private let instructions: InstructionSet

    /// An operator over the parts of `packed`, which are not copied but for the alphas.
    public convenience init(_ packed: PackedMatrix, instructions: InstructionSet = .best)
        throws(PackedMatrixError)
    {
        guard case .binaryCodes(let bits, let group, let type) = packed.scheme else {
            preconditionFailure("\(packed.scheme) is not a scheme of binary codes")
        }
        let (rows, columns) = (packed.rows, packed.columns)
        let groups = group.map { (columns + $0 - 1) / $0 } ?? 1
        let signs = try packed.part("signs", .uint8, [bits, rows, (columns + 7) / 8])
        let alphas = try packed.numbers("alphas", type, [rows, groups, bits])
        self.init(
            signs: signs.bytes, alphas: alphas, bits: bits, rows: rows, columns: columns, group: group,
            instructions: instructions)
    }

    /// An operator over stored planes.
    ///
    /// - Shapes: `signs` as `SignPlanes.pack` gives them; `alphas` (rows, groups, bits) row-major, with one group for all
    ///   columns where `group` is nil.
    init(
        signs: Data, alphas: [Float], bits: Int, rows: Int, columns: Int, group: Int?,
        instructions: InstructionSet
    ) {
        self.rows = rows
        self.columns = columns
        self.bits = bits
        self.signs = signs
        self.instructions = min(instructions, .best)
        // A group wider than the matrix is one group.
        let width = min(group ?? columns, columns)
        let groups = width == 0 ? 1 : (columns + width - 1) / width
        self.group = width
        self.groups = groups
        self.alphas = [Float](unsafeUninitializedCapacity: (rows + 15) / 16 * 16 * groups * bits) {
            buffer, count in
            bp_sign_alphas(alphas, rows, groups, bits, buffer.baseAddress)
            count = buffer.count
        }
        let count = bp_sign_segments(columns, width, nil)
        segments = [bp_segment](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = bp_sign_segments(columns, width, buffer.baseAddress)
        }
    }

    /// Bytes of signs and alphas.
    public var residentBytes: Int { signs.count + 4 * alphas.count }

    /// Tables of signed sums, by columns and group.
    public var preparation: Preparation { Preparation(kind: .signTables(columns: columns, group: group)) }

    /// 8 bytes of tables for each column.
    public var preparedBytesPerToken: Int { bp_sign_tables_size(segments, segments.count) }

    /// Rounds the activations and makes their tables.
    public func prepare(_ x: UnsafePointer<Float>, tokens: Int, into prepared: UnsafeMutableRawPointer) {
        bp_sign_tables(
            instructions.code, x, columns, tokens, segments, segments.count,
            prepared.assumingMemoryBound(to: UInt8.self))
    }

    /// `y = x W^T` by look-ups.
    public func multiply(prepared: UnsafeRawPointer, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        signs.withUnsafeBytes { raw in
            bp_signs_multiply(
                instructions.code, raw.bindMemory(to: UInt8.self).baseAddress, bits, rows, columns, alphas,
                groups,
                segments, segments.count, prepared.assumingMemoryBound(to: UInt8.self), tokens, y)
        }
    }

    /// Row `row`, dequantized.
    public func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        for c in 0..<columns { destination[c] = 0 }
        signs.withUnsafeBytes { raw in
            for p in 0..<bits {
                for g in 0..<groups where columns > 0 {
                    let alpha = alphas[((row / 16 * groups + g) * bits + p) * 16 + row % 16]
                    for c in g * group..<min((g + 1) * group, columns) {
                        let byte = raw[bp_sign_offset(bits, rows, columns, p, row, c / 8)]
                        destination[c] += byte >> (c % 8) & 1 == 1 ? alpha : -alpha
                    }
                }
            }
        }
    }
}
