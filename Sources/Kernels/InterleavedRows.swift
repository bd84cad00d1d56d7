import CBitplanKernels
import Foundation

/// The stored order of codes: the bytes on disk, which the kernels read as they are.
///
/// In plain order, codes are `[plane][row][rowBytes]`: each row of each plane is a string of bytes, whatever
/// the codes in it. Stored, the same bytes stand in another order. A row is cut into words of 4 bytes, and
/// the rows into blocks of 64 (1 or 2 planes), 32 (3 or 4) or 16 (5 to 8), the last block being whatever is
/// left. First come the blocks, one after the other, each an array `[word][plane][row of the block]`; then
/// the bytes beyond the last whole word, as `[plane][row][rowBytes % 4]`. Nothing is padded, so both orders
/// have the same size for every shape.
///
/// Neighbouring rows being neighbouring words, one vector holds the same columns of 16 rows, and a block is
/// one contiguous stream. `Scripts/decode_codes.py` reads the order in a few lines of numpy. Which parts of
/// which scheme are stored so is in `Layouts.md`.
package enum InterleavedRows {
    /// Plain bytes in the stored order.
    ///
    /// - Complexity: O(bytes).
    package static func stored(_ plain: Data, planes: Int = 1, rows: Int, rowBytes: Int) -> Data {
        reorder(plain, planes: planes, rows: rows, rowBytes: rowBytes, bp_interleave)
    }

    /// The plain bytes of stored ones: the inverse of `stored(_:planes:rows:rowBytes:)`.
    package static func plain(_ stored: Data, planes: Int = 1, rows: Int, rowBytes: Int) -> Data {
        reorder(stored, planes: planes, rows: rows, rowBytes: rowBytes, bp_deinterleave)
    }

    /// Runs `body` on the plain bytes of one row of one plane.
    static func withRow(
        _ row: Int, plane: Int = 0, of stored: Data, planes: Int = 1, rows: Int, rowBytes: Int,
        _ body: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(rowBytes, 1)) { bytes in
            stored.withUnsafeBytes {
                bp_interleaved_row(
                    $0.bindMemory(to: UInt8.self).baseAddress, planes, rows, rowBytes, plane, row,
                    bytes.baseAddress)
            }
            body(UnsafeBufferPointer(rebasing: bytes[..<rowBytes]))
        }
    }

    private static func reorder(
        _ bytes: Data, planes: Int, rows: Int, rowBytes: Int,
        _ move: (UnsafePointer<UInt8>?, Int, Int, Int, UnsafeMutablePointer<UInt8>?) -> Void
    ) -> Data {
        precondition(
            (1...8).contains(planes) && rows >= 0 && rowBytes >= 0, "\(planes) planes, \(rows) x \(rowBytes)")
        precondition(bytes.count == planes * rows * rowBytes, "bytes do not fill the rows")
        var result = Data(count: bytes.count)
        bytes.withUnsafeBytes { from in
            result.withUnsafeMutableBytes { to in
                move(
                    from.bindMemory(to: UInt8.self).baseAddress, planes, rows, rowBytes,
                    to.bindMemory(to: UInt8.self).baseAddress)
            }
        }
        return result
    }
}
