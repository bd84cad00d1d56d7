/// Eight logits of a row at a time.
typealias Lanes = SIMD8<Double>

extension Lanes {
    /// e to the power of each lane, for lanes of at most 0: relative error below 4e-16, 0 below -708, NaN for
    /// NaN.
    ///
    /// The sum of exponentials over the vocabulary is nearly all the work of a log-softmax, and libm's `exp`
    /// takes one number at a time. Cody and Waite's reduction x = k log 2 + r, |r| <= log(2) / 2, then
    /// Taylor's series to r^13 / 13!, whose next term is below 5e-18.
    @inline(__always)
    static func exponential(_ x: Lanes) -> Lanes {
        let tooSmall = x .< -708
        let x = x.replacing(with: -708, where: tooSmall)
        // Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits, without a conversion that
        // could trap.
        let roundingShift = Lanes(repeating: 0x1.8p52)
        let shifted = x * 0x1.71547652b82fep0 + roundingShift
        let k = shifted - roundingShift
        // log 2 in two parts; the first has trailing zeros enough for its product with k to be exact.
        let r = (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33
        var series = Lanes(repeating: 1 / 6_227_020_800)
        series = series * r + 1 / 479_001_600
        series = series * r + 1 / 39_916_800
        series = series * r + 1 / 3_628_800
        series = series * r + 1 / 362_880
        series = series * r + 1 / 40_320
        series = series * r + 1 / 5_040
        series = series * r + 1 / 720
        series = series * r + 1 / 120
        series = series * r + 1 / 24
        series = series * r + 1 / 6
        series = series * r + 0.5
        series = series * r + 1
        series = series * r + 1
        let scale = unsafeBitCast(
            (unsafeBitCast(shifted, to: SIMD8<Int64>.self) &+ 1023) &<< 52, to: Lanes.self)
        return (series * scale).replacing(with: 0, where: tooSmall)
    }
}
