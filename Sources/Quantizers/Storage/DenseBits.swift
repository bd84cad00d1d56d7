import Foundation
import PlanFormat

/// Codes of 1 to 8 bits side by side without gaps: code i takes the bits from `i * bits` on, lowest bit
/// first.
enum DenseBits {
    /// Bytes that `count` codes take.
    static func sizeInBytes(count: Int, bits: Int) -> Int { ceilDivide(count * bits, 8) }

    /// Writes `count` codes, each below 2^bits, to `target`, which is all zeros.
    @inline(__always)
    static func pack(
        _ codes: UnsafePointer<UInt8>, count: Int, bits: Int, into target: UnsafeMutablePointer<UInt8>
    ) {
        var window: UInt32 = 0
        var filled = 0
        var byte = 0
        for index in 0..<count {
            window |= UInt32(codes[index]) << UInt32(filled)
            filled += bits
            while filled >= 8 {
                target[byte] = UInt8(truncatingIfNeeded: window)
                byte += 1
                window >>= 8
                filled -= 8
            }
        }
        if filled > 0 { target[byte] = UInt8(truncatingIfNeeded: window) }
    }

    /// Reads `count` codes; the reverse of `pack`.
    @inline(__always)
    static func unpack(
        _ source: UnsafePointer<UInt8>, count: Int, bits: Int, into codes: UnsafeMutablePointer<UInt8>
    ) {
        var window: UInt32 = 0
        var filled = 0
        var byte = 0
        let mask = UInt32(1) << UInt32(bits) - 1
        for index in 0..<count {
            if filled < bits {
                window |= UInt32(source[byte]) << UInt32(filled)
                byte += 1
                filled += 8
            }
            codes[index] = UInt8(truncatingIfNeeded: window & mask)
            window >>= UInt32(bits)
            filled -= bits
        }
    }

    /// Rows of `columns` codes, each row beginning at a byte.
    static func packedRows(_ codes: [UInt8], rows: Int, columns: Int, bits: Int) -> Data {
        let rowBytes = sizeInBytes(count: columns, bits: bits)
        var data = Data(count: rows * rowBytes)
        data.withUnsafeMutableBytes { target in
            codes.withUnsafeBufferPointer { codes in
                guard let codes = codes.baseAddress,
                    let target = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
                else { return }
                for row in 0..<rows {
                    pack(codes + row * columns, count: columns, bits: bits, into: target + row * rowBytes)
                }
            }
        }
        return data
    }

    /// The codes of packed rows.
    static func unpackedRows(_ data: Data, rows: Int, columns: Int, bits: Int) -> [UInt8] {
        let rowBytes = sizeInBytes(count: columns, bits: bits)
        return [UInt8](unsafeUninitializedCapacity: rows * columns) { codes, count in
            count = rows * columns
            data.withUnsafeBytes { source in
                guard let codes = codes.baseAddress,
                    let source = source.baseAddress?.assumingMemoryBound(to: UInt8.self)
                else { return }
                for row in 0..<rows {
                    unpack(source + row * rowBytes, count: columns, bits: bits, into: codes + row * columns)
                }
            }
        }
    }
}
