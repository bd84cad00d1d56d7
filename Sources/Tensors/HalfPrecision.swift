/// IEEE half precision by its bits: `Float16` does not exist on every platform that Swift runs on.
package enum HalfPrecision {
    /// The FP32 value of half-precision `bits`; exact.
    @inlinable
    package static func widen(_ bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16
        let magnitude = UInt32(bits & 0x7FFF)
        if magnitude >= 0x7C00 { return Float(bitPattern: sign | 0x7F80_0000 | (magnitude & 0x3FF) << 13) }
        // Shifted into place the exponent is off by 112: one multiplication mends it, subnormal numbers
        // included.
        let scaled = Float(bitPattern: magnitude << 13) * Float(bitPattern: 0x7780_0000)
        return Float(bitPattern: sign | scaled.bitPattern)
    }

    /// The half-precision bits nearest to `value`, ties to even; beyond 65504 infinity.
    @inlinable
    package static func narrow(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
        let magnitude = bits & 0x7FFF_FFFF
        if magnitude >= 0x7F80_0000 { return sign | (magnitude > 0x7F80_0000 ? 0x7E00 : 0x7C00) }
        if magnitude >= 0x4780_0000 { return sign | 0x7C00 }
        if magnitude < 0x3880_0000 {
            // Subnormal: adding 0.5 leaves the rounded multiple of 2^-24 in the low bits.
            let rounded = Float(bitPattern: magnitude) + 0.5
            return sign | UInt16(truncatingIfNeeded: rounded.bitPattern &- 0x3F00_0000)
        }
        let rounded = magnitude &+ 0xFFF &+ ((magnitude >> 13) & 1)
        return sign | UInt16(truncatingIfNeeded: (rounded &- 0x3800_0000) >> 13)
    }

    /// The number nearest to `value` that half precision holds.
    @inlinable
    package static func rounded(_ value: Float) -> Float { widen(narrow(value)) }

    /// The nearest finite half-precision number: what lies beyond the largest becomes the largest.
    package static func finite(_ value: Float) -> UInt16 { narrow(max(-largest, min(largest, value))) }

    /// The largest finite number.
    private static var largest: Float { 65504 }
}
