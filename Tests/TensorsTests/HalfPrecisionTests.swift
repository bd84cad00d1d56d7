import BitplanTensors
import Foundation
import Testing

/// Half precision against the bit rules of IEEE 754, worked out in `Double`.
@Suite struct HalfPrecisionTests {
    /// The value of half-precision bits: sign, five bits of exponent, ten of fraction.
    private func value(_ bits: UInt16) -> Double {
        let exponent = Int(bits >> 10) & 0x1F
        let fraction = Double(bits & 0x3FF)
        let magnitude: Double =
            switch exponent {
            case 0: fraction * 0x1p-24
            case 31: fraction == 0 ? .infinity : .nan
            default: (1 + fraction / 1024) * pow(2, Double(exponent - 15))
            }
        return bits & 0x8000 == 0 ? magnitude : -magnitude
    }

    /// `value` rounded to eleven significant bits (fewer below 2^-14), ties to even; infinity from 65520 on.
    private func rounded(_ value: Float) -> Double {
        let exact = Double(value)
        guard exact.isFinite, exact != 0 else { return exact }
        if abs(exact) >= 65520 { return exact < 0 ? -.infinity : .infinity }
        let unit = pow(2, Double(max(Int(exact.exponent), -14) - 10))
        return (exact / unit).rounded(.toNearestOrEven) * unit
    }

    @Test func everyHalf() {
        for bits in UInt16.min...UInt16.max {
            let wide = HalfPrecision.widen(bits)
            let expected = value(bits)
            if expected.isNaN {
                #expect(wide.isNaN)
                #expect(HalfPrecision.widen(HalfPrecision.narrow(wide)).isNaN)
            } else if Double(wide) != expected || (wide.sign == .minus) != (bits & 0x8000 != 0)
                || HalfPrecision.narrow(wide) != bits
            {
                Issue.record("\(bits): \(wide), expected \(expected), back \(HalfPrecision.narrow(wide))")
            }
        }
    }

    /// Any float, floats near the halves, and exactly between two of them.
    @Test(arguments: [UInt64(1), 2])
    func roundsToNearestEven(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var candidates: [Float] = [
            0, -0.0, 65504, 65519.996, 65520, -65520, 65536, 1e30, .greatestFiniteMagnitude,
            .leastNonzeroMagnitude,
            0x1p-25, 0x1.000002p-25, 0x1.8p-24, 0x1p-14, 0x1.fffffep-15, .infinity, -.infinity,
        ]
        for _ in 0..<200_000 {
            candidates.append(Float(bitPattern: UInt32(truncatingIfNeeded: generator.next())))
            let half = UInt16(truncatingIfNeeded: generator.next() & 0x7BFE)
            let (low, high) = (HalfPrecision.widen(half), HalfPrecision.widen(half + 1))
            let middle = (low + high) / 2
            candidates += [middle, middle.nextUp, middle.nextDown, -middle]
        }
        for candidate in candidates where !candidate.isNaN {
            let got = HalfPrecision.widen(HalfPrecision.narrow(candidate))
            if Double(got) != rounded(candidate) || got.sign != candidate.sign {
                Issue.record("seed \(seed): \(candidate) became \(got), expected \(rounded(candidate))")
            }
            #expect(HalfPrecision.rounded(candidate) == got)
        }
    }

    @Test func notANumberStaysOne() {
        for pattern: UInt32 in [0x7FC0_0000, 0x7F80_0001, 0xFFFF_FFFF] {
            #expect(HalfPrecision.widen(HalfPrecision.narrow(Float(bitPattern: pattern))).isNaN)
        }
    }
}
