import BitplanTensors
import PlanFormat

/// Evenly spaced values `scale * (code - zeroPoint)` for codes 0...highest.
///
/// - Source: QuantNoise (Stock, Fan et al. 2020), section 2, with the stored zero point `round(-min / s)`.
struct UniformGrid {
    let scale: Float
    /// A whole number, in the range that the stored type holds exactly.
    let zeroPoint: Float
    let highest: Int

    /// A symmetric grid by absolute maximum: codes `-Q...Q` with `Q = 2^(bits - 1) - 1`, stored with 2^(bits
    /// - 1) added, so code 0 is never used.
    init(symmetricUpTo largest: Float, bits: Int, type: Scheme.FloatType) {
        let levels = 1 << (bits - 1)
        let rounded = type.roundedScale(Double(largest) / Double(levels - 1))
        scale = largest > 0 ? rounded : 1
        zeroPoint = Float(levels)
        highest = 2 * levels - 1
    }

    /// An asymmetric grid by minimum and maximum. A constant is stored exactly, as `scale = |c|`.
    ///
    /// A range that is narrow and far from zero gets a wider step where its zero point would not be exact in
    /// `type`.
    init(from lowest: Float, to largest: Float, bits: Int, type: Scheme.FloatType) {
        highest = (1 << bits) - 1
        let low = Double(lowest)
        let high = Double(largest)
        guard high > low else {
            scale = lowest == 0 ? 1 : type.roundedScale(abs(low))
            zeroPoint = lowest == 0 ? 0 : (lowest < 0 ? 1 : -1)
            return
        }
        let exactUpTo = type == .fp32 ? 0x1p23 : 2000
        let step = max((high - low) / Double(highest), max(abs(low), abs(high)) / exactUpTo)
        scale = type.roundedScale(step)
        zeroPoint = Float(-(low / Double(scale)).rounded(.toNearestOrEven))
    }

    init(scale: Float, zeroPoint: Float, bits: Int) {
        self.scale = scale
        self.zeroPoint = zeroPoint
        highest = (1 << bits) - 1
    }

    /// The nearest code, halves to even multiples of the scale.
    @inline(__always)
    func code(_ weight: Double, lowest: Double) -> UInt8 {
        let code = (weight / Double(scale)).rounded(.toNearestOrEven) + Double(zeroPoint)
        return UInt8(min(max(code, lowest), Double(highest)))
    }

    @inline(__always)
    func value(_ code: UInt8) -> Float { scale * (Float(code) - zeroPoint) }
}

extension Scheme.FloatType {
    /// A positive scale as this type holds it: never rounded to 0.
    func roundedScale(_ scale: Double) -> Float {
        let smallest: Float = self == .fp32 ? .leastNormalMagnitude : 0x1p-24
        return max(smallest, rounded(scale))
    }
}
