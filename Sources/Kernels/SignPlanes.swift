import CKernels
import Foundation

/// The stored order of sign planes: the bytes on disk, which the kernels read as they are.
///
/// Plain planes are `[plane][row][ceil(columns / 8)]` bytes; bit c % 8 of byte c / 8 is column c, 1 for +1, 0 for -1, and
/// the bits beyond the last column are 0. Stored, the same bytes stand in another order. A plane's row is cut into words
/// of 32 columns (4 bytes), and rows into blocks of 64 (1 or 2 planes), 32 (3 or 4) or 16 (5 to 8), the last block being
/// whatever is left. First come the blocks, one after the other, each an array `[word][plane][row of the block]` of 4-byte
/// words; then the bytes beyond the last whole word, as `[plane][row][ceil((columns % 32) / 8)]`. Nothing is padded, so the
/// size is `bits * rows * ceil(columns / 8)` bytes for every shape.
///
/// Neighbouring rows being neighbouring words, one vector holds the same 32 columns of 16 rows, and a block is one
/// contiguous stream. `Scripts/decode_signs.py` reads the format in a few lines of numpy.
public enum SignPlanes {
    /// Bytes of `bits` planes of (`rows`, `columns`), plain or stored.
    public static func byteCount(bits: Int, rows: Int, columns: Int) -> Int {
        bits * rows * ((columns + 7) / 8)
    }

    /// Plain planes in the stored order.
    ///
    /// - Shapes: `planes` and the result have `byteCount(bits:rows:columns:)` bytes.
    /// - Complexity: O(bytes).
    public static func pack(planes: Data, bits: Int, rows: Int, columns: Int) -> Data {
        reorder(planes, bits: bits, rows: rows, columns: columns, bp_signs_pack)
    }

    /// The plain planes of stored ones: the inverse of `pack(planes:bits:rows:columns:)`.
    public static func unpack(stored: Data, bits: Int, rows: Int, columns: Int) -> Data {
        reorder(stored, bits: bits, rows: rows, columns: columns, bp_signs_unpack)
    }

    private static func reorder(
        _ bytes: Data, bits: Int, rows: Int, columns: Int,
        _ move: (UnsafePointer<UInt8>?, Int, Int, Int, UnsafeMutablePointer<UInt8>?) -> Void
    ) -> Data {
        precondition(
            (1...8).contains(bits) && rows >= 0 && columns >= 0, "\(bits) planes of (\(rows), \(columns))")
        precondition(
            bytes.count == byteCount(bits: bits, rows: rows, columns: columns), "bytes do not fill the planes"
        )
        var result = Data(count: bytes.count)
        bytes.withUnsafeBytes { from in
            result.withUnsafeMutableBytes { to in
                move(
                    from.bindMemory(to: UInt8.self).baseAddress, bits, rows, columns,
                    to.bindMemory(to: UInt8.self).baseAddress)
            }
        }
        return result
    }
}
