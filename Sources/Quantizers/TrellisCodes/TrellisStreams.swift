import PlanFormat

/// The streams of symbols of a segment's columns, side by side: byte b of all columns, then byte b + 1.
///
/// A symbol is the low bits of its weight's window; the first symbol takes the highest bits of the first
/// byte, so that a window is 8 successive bits of the stream. Unused bits of the last byte are 0.
enum TrellisStreams {
    /// Writes the stream of a column into `streams` (bytes, columns).
    static func pack(
        _ windows: ArraySlice<UInt8>, bits: Int, into streams: UnsafeMutableBufferPointer<UInt8>, column: Int,
        columns: Int
    ) {
        let mask = UInt8(1) << UInt8(bits) - 1
        var pending: UInt32 = 0
        var filled = 0
        var position = column
        for window in windows {
            pending = pending << UInt32(bits) | UInt32(window & mask)
            filled += bits
            if filled >= 8 {
                filled -= 8
                streams[position] = UInt8(truncatingIfNeeded: pending >> UInt32(filled))
                position += columns
            }
        }
        if filled > 0 { streams[position] = UInt8(truncatingIfNeeded: pending << UInt32(8 - filled)) }
    }

    /// The windows of the `count` weights of a column of `streams` (bytes, columns).
    ///
    /// The windows of the first weights begin with the last bits of the stream, repeated where it is shorter
    /// than a window.
    static func windows(
        _ streams: [UInt8], bits: Int, count: Int, column: Int, columns: Int
    ) -> [UInt8] {
        guard count > 0 else { return [] }
        let mask = UInt8(1) << UInt8(bits) - 1
        var symbols: [UInt8] = []
        symbols.reserveCapacity(count)
        var pending: UInt32 = 0
        var filled = 0
        var position = column
        for _ in 0..<count {
            if filled < bits {
                pending = pending << 8 | UInt32(streams[position])
                position += columns
                filled += 8
            }
            filled -= bits
            symbols.append(UInt8(truncatingIfNeeded: pending >> UInt32(filled)) & mask)
        }
        var window: UInt8 = 0
        for back in (1...ceilDivide(Scheme.TrellisCodes.windowBits, bits)).reversed() {
            window = window << UInt8(bits) | symbols[(Scheme.TrellisCodes.windowBits * count - back) % count]
        }
        return symbols.map { symbol in
            window = window << UInt8(bits) | symbol
            return window
        }
    }
}
