/// The levels of trellis codes: `step * (high[window >> 4] + low[window & 15] - offset)`.
package struct TrellisTable: Sendable {
    /// Entries for the first four bits of a window, from 0 to 63.
    package let high: [UInt8]
    /// Entries for the last four bits.
    package let low: [UInt8]
    /// What stands for 0.
    package let offset: Float
    /// One step, for weights of unit variance.
    package let step: Float

    /// The table of codes of `bits` bits.
    package static func bits(_ bits: Int) -> TrellisTable {
        let k = UInt8(bits)
        return TrellisTable(
            high: (0..<16).map { (37 &* $0 &+ 11 &* k) % 64 },
            low: (0..<16).map { (29 &* $0 &+ 7 &* k) % 64 },
            offset: 62.5, step: 0.04)
    }

    /// The level of a window.
    package func value(_ window: UInt8) -> Float {
        step * (Float(high[Int(window >> 4)] + low[Int(window & 15)]) - offset)
    }
}
