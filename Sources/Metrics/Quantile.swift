import Foundation

/// Quantiles of the distributions that confidence intervals need.
///
/// The upper tail is computed to nearly full relative precision and inverted by Newton's method, so far tails
/// are as exact as the middle: about 1e-12 relative.
package enum Quantile {
    /// The value below which a standard normal variable lies with the given probability.
    ///
    /// - Parameter probability: 0 to 1; the ends give infinities.
    package static func normal(_ probability: Double) -> Double {
        symmetric(probability) { normalReach(tail: $0) }
    }

    /// The value below which Student's t lies with the given probability.
    ///
    /// - Parameters:
    ///   - probability: 0 to 1; the ends give infinities.
    ///   - degreesOfFreedom: At least 1.
    package static func studentT(_ probability: Double, degreesOfFreedom: Double) -> Double {
        precondition(degreesOfFreedom >= 1, "at least 1 degree of freedom, got \(degreesOfFreedom)")
        let nu = degreesOfFreedom
        let densityAtZero = exp(logGammaRatio(nu / 2)) / (nu * .pi).squareRoot()
        func density(_ t: Double) -> Double {
            densityAtZero * exp(-(nu + 1) / 2 * log1p(t * t / nu))
        }
        /// Half the incomplete beta function I_x(nu / 2, 1/2), whose factor before the fraction is t *
        /// density(t).
        func upperTail(_ t: Double) -> Double {
            let (a, x, y) = (nu / 2, nu / (nu + t * t), t * t / (nu + t * t))
            // The fraction converges fast only below the mean; above it, the mirrored one does.
            if x > (a + 1) / (a + 2.5) { return 0.5 - t * density(t) * betaFraction(y, 0.5, a) }
            return t * density(t) / nu * betaFraction(x, a, 0.5)
        }
        return symmetric(probability) { tail in
            // Student's tails are the heavier ones, so the normal quantile lies to the left.
            newton(tail: tail, from: normalReach(tail: tail), upperTail: upperTail, density: density)
        }
    }

    /// A quantile of a distribution symmetric around 0, from the reach t >= 0 that has `tail` above it.
    private static func symmetric(_ probability: Double, reach: (_ tail: Double) -> Double) -> Double {
        precondition((0...1).contains(probability), "a probability from 0 to 1, got \(probability)")
        let tail = min(probability, 1 - probability)
        guard tail > 0 else { return probability == 0 ? -.infinity : .infinity }
        return probability < 0.5 ? -reach(tail) : reach(tail)
    }

    /// The probability that a standard normal variable is above `reach`.
    static func normalTail(_ reach: Double) -> Double { 0.5 * erfc(reach / 2.0.squareRoot()) }

    /// The linearly interpolated quantile of sorted values, at least one (numpy's default, Hyndman and Fan's
    /// type 7).
    static func ofSorted(_ values: [Double], _ probability: Double) -> Double {
        let position = probability * Double(values.count - 1)
        let below = Int(position)
        let above = min(below + 1, values.count - 1)
        return values[below] + (position - Double(below)) * (values[above] - values[below])
    }

    private static func normalReach(tail: Double) -> Double {
        newton(
            tail: tail, from: 0, upperTail: normalTail,
            density: { exp(-$0 * $0 / 2) / (2 * Double.pi).squareRoot() })
    }

    /// The t with `upperTail(t) == tail`, approached from the left.
    ///
    /// Right of 0 the tail is convex, so Newton's steps never overshoot; the first that is not a step to the
    /// right is rounding.
    private static func newton(
        tail: Double, from start: Double, upperTail: (Double) -> Double, density: (Double) -> Double
    ) -> Double {
        var t = start
        for _ in 0..<1000 {
            let step = (upperTail(t) - tail) / density(t)
            t += step
            guard step > 1e-15 * t else { break }
        }
        return t
    }

    /// `log(gamma(z + 1/2) / gamma(z))`; for large z by its asymptotic series, since the difference of two
    /// large logarithms would lose the digits.
    private static func logGammaRatio(_ z: Double) -> Double {
        if z < 50 { return lgamma(z + 0.5) - lgamma(z) }
        let cube = z * z * z
        return 0.5 * log(z) - 1 / (8 * z) + 1 / (192 * cube) - 1 / (640 * cube * z * z)
    }

    /// The continued fraction of the incomplete beta function: `I_x(a, b) = x^a (1 - x)^b / (a B(a, b)) *
    /// fraction` (Abramowitz and Stegun 26.5.8), by Lentz's method.
    private static func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
        // Stands in for a denominator of 0.
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
        return fraction
    }
}
