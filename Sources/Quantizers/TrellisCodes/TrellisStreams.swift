import PlanFormat

/// The streams of symbols of a segment's columns, side by side: byte b of all columns, then byte b + 1.
///
/// A symbol is the low bits of its weight's window: half of `pairBits`, rounded down for the weights at even
/// places and up for those at odd ones; the first symbol takes the highest bits of the first
/// byte, so that a window is 8 successive bits of the stream. Unused bits of the last byte are 0.
enum TrellisStreams {
    /// Writes the stream of a column into `streams` (bytes, columns).
    static func pack(
        _ windows: ArraySlice<UInt8>, pairBits: Int, into streams: UnsafeMutableBufferPointer<UInt8>,
        column: Int,
        columns: Int
    ) {
        var pending: UInt32 = 0
        var filled = 0
        var position = column
        for (place, window) in windows.enumerated() {
            let bits = bits(ofPair: pairBits, at: place)
            pending = pending << UInt32(bits) | UInt32(window) & (1 << UInt32(bits) - 1)
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
        _ streams: [UInt8], pairBits: Int, count: Int, column: Int, columns: Int
    ) -> [UInt8] {
        let length = count * pairBits / 2
        guard length > 0 else { return [] }
        func bit(_ place: Int) -> UInt8 {
            streams[place / 8 * columns + column] >> UInt8(7 - place % 8) & 1
        }
        // Behind the last bit stands the first again; 8 bits before the start, repeated as often as it takes.
        var next = (8 * length - Scheme.TrellisCodes.windowBits) % length
        var window: UInt8 = 0
        func read(_ count: Int) {
            for _ in 0..<count {
                window = window << 1 | bit(next)
                next = next + 1 == length ? 0 : next + 1
            }
        }
        read(Scheme.TrellisCodes.windowBits)
        return (0..<count).map { place in
            read(bits(ofPair: pairBits, at: place))
            return window
        }
    }

    private static func bits(ofPair pairBits: Int, at place: Int) -> Int { (pairBits + place % 2) / 2 }
}
