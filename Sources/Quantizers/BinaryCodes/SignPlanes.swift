import Foundation
import PlanFormat

/// Sign planes in plain order, and the codes of their weights.
///
/// Plain order is `[plane][row][ceil(columns / 8)]` bytes; bit `c % 8` of byte `c / 8` is column c; 1 stands
/// for +1; the bits after the last column are 0. A code is the byte of one weight: bit i is its sign in plane
/// i.
enum SignPlanes {
    /// Bytes of one row of one plane.
    static func rowBytes(columns: Int) -> Int { ceilDivide(columns, 8) }

    /// Writes the planes of one row of codes; plane i begins at `target + i * planeStride`.
    @inline(__always)
    static func pack(
        _ codes: UnsafePointer<UInt8>, columns: Int, planes: Int, into target: UnsafeMutablePointer<UInt8>,
        planeStride: Int
    ) {
        let whole = columns / 8
        for byte in 0..<whole {
            let eight = UnsafeRawPointer(codes + 8 * byte).loadUnaligned(as: UInt64.self)
            for plane in 0..<planes { target[plane * planeStride + byte] = gathered(eight, plane) }
        }
        if columns % 8 != 0 {
            var eight: UInt64 = 0
            for column in 8 * whole..<columns { eight |= UInt64(codes[column]) << UInt64(8 * (column % 8)) }
            for plane in 0..<planes { target[plane * planeStride + whole] = gathered(eight, plane) }
        }
    }

    /// The planes of codes (rows, columns).
    static func packed(_ codes: [UInt8], planes: Int, rows: Int, columns: Int) -> Data {
        let rowBytes = rowBytes(columns: columns)
        var data = Data(count: planes * rows * rowBytes)
        data.withUnsafeMutableBytes { target in
            codes.withUnsafeBufferPointer { codes in
                guard let codes = codes.baseAddress,
                    let target = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
                else { return }
                for row in 0..<rows {
                    pack(
                        codes + row * columns, columns: columns, planes: planes,
                        into: target + row * rowBytes,
                        planeStride: rows * rowBytes)
                }
            }
        }
        return data
    }

    /// Reads the codes of one row; the reverse of `pack`.
    @inline(__always)
    static func unpack(
        _ source: UnsafePointer<UInt8>, planeStride: Int, columns: Int, planes: Int,
        into codes: UnsafeMutablePointer<UInt8>
    ) {
        for byte in 0..<ceilDivide(columns, 8) {
            var eight: UInt64 = 0
            for plane in 0..<planes { eight |= spread(source[plane * planeStride + byte]) << UInt64(plane) }
            if 8 * byte + 8 <= columns {
                UnsafeMutableRawPointer(codes + 8 * byte).storeBytes(of: eight, as: UInt64.self)
            } else {
                for column in 8 * byte..<columns {
                    codes[column] = UInt8(truncatingIfNeeded: eight >> UInt64(8 * (column % 8)))
                }
            }
        }
    }

    /// Bit `plane` of eight codes, side by side.
    @inline(__always)
    private static func gathered(_ eight: UInt64, _ plane: Int) -> UInt8 {
        // The product moves bit 0 of byte j to bit 56 + j; no two terms meet below that.
        UInt8(
            truncatingIfNeeded: (((eight >> UInt64(plane)) & 0x0101_0101_0101_0101) &* 0x0102_0408_1020_4080)
                >> 56)
    }

    /// Bit j of a byte as byte j.
    @inline(__always)
    private static func spread(_ bits: UInt8) -> UInt64 {
        let chosen = (UInt64(bits) &* 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201
        return ((chosen &+ 0x7F7F_7F7F_7F7F_7F7F) >> 7) & 0x0101_0101_0101_0101
    }
}
