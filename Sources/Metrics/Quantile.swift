import Foundation

/// Quantiles of the distributions that confidence intervals need.
///
/// The upper tail is computed to full relative precision and inverted by bisection, so both tails are as exact as the
/// middle: about 1e-13 relative.
public enum Quantile {
    /// The value below which a standard normal variable lies with the given probability.
    ///
    /// - Parameter probability: 0 to 1; the ends give infinities.
    public static func normal(_ probability: Double) -> Double {
        quantile(probability) { 0.5 * erfc($0 / 2.0.squareRoot()) }
    }

    /// The value below which Student's t lies with the given probability.
    ///
    /// - Parameters:
    ///   - probability: 0 to 1; the ends give infinities.
    ///   - degreesOfFreedom: Above 0.
    public static func studentT(_ probability: Double, degreesOfFreedom: Double) -> Double {
        precondition(degreesOfFreedom > 0, "degrees of freedom above 0")
        return quantile(probability) { t in
            0.5
                * regularizedIncompleteBeta(
                    degreesOfFreedom / (degreesOfFreedom + t * t),
                    complement: t * t / (degreesOfFreedom + t * t),
                    degreesOfFreedom / 2, 0.5)
        }
    }

    /// The linearly interpolated quantile of sorted values (numpy's default, Hyndman and Fan's type 7).
    static func ofSorted(_ values: [Double], _ probability: Double) -> Double {
        let position = probability * Double(values.count - 1)
        let below = Int(position)
        let above = min(below + 1, values.count - 1)
        return values[below] + (position - Double(below)) * (values[above] - values[below])
    }

    /// Inverts the upper tail of a distribution that is symmetric around 0.
    private static func quantile(_ probability: Double, upperTail: (Double) -> Double) -> Double {
        precondition((0...1).contains(probability), "a probability from 0 to 1")
        if probability < 0.5 { return -solve(tail: probability, upperTail) }
        return solve(tail: 1 - probability, upperTail)
    }

    /// The t >= 0 with `upperTail(t) == tail`, for a tail of at most a half.
    private static func solve(tail: Double, _ upperTail: (Double) -> Double) -> Double {
        guard tail > 0 else { return .infinity }
        guard tail < 0.5 else { return 0 }
        var (low, high) = (0.0, 1.0)
        while upperTail(high) > tail { (low, high) = (high, 2 * high) }
        while true {
            let middle = low + (high - low) / 2
            guard middle > low, middle < high else { return middle }
            if upperTail(middle) > tail { low = middle } else { high = middle }
        }
    }

    /// `I_x(a, b)` by its continued fraction (Abramowitz and Stegun 26.5.8).
    private static func regularizedIncompleteBeta(
        _ x: Double, complement y: Double, _ a: Double, _ b: Double
    ) -> Double {
        if x <= 0 { return 0 }
        if y <= 0 { return 1 }
        // The fraction converges fast only below the mean; above it, the mirrored one does.
        if x > (a + 1) / (a + b + 2) { return 1 - regularizedIncompleteBeta(y, complement: x, b, a) }
        let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y)) / a
        // Modified Lentz; `tiny` stands in for a partial denominator of 0.
        let tiny = 1e-300
        func nonzero(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
        var d = 1 / nonzero(1 - (a + b) * x / (a + 1))
        var c = 1.0
        var fraction = d
        for m in 1...10_000 {
            let m = Double(m)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 / nonzero(1 + even * d)
            c = nonzero(1 + even / c)
            fraction *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 / nonzero(1 + odd * d)
            c = nonzero(1 + odd / c)
            fraction *= d * c
            if abs(d * c - 1) < 1e-15 { break }
        }
        return front * fraction
    }
}
