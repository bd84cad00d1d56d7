import BitplanReporting
import BitplanTensors
import TestSupport
import Testing

/// Numbers as text.
@Suite struct NumberTextTests {
    @Test(arguments: [
        (0.0, 0, "0"), (0, 3, "0.000"), (1.5, 0, "2"), (2.5, 0, "3"), (-2.5, 0, "-3"), (0.125, 2, "0.13"),
        (-0.004, 2, "0.00"), (0.9999, 2, "1.00"), (99.995, 1, "100.0"), (12.3456, 2, "12.35"),
        (1e-12, 4, "0.0000"),
        (123_456.789, 1, "123456.8"), (0.05, 3, "0.050"), (-1.05, 1, "-1.1"), (1e14, 2, "100000000000000.00"),
    ])
    func fixedDigits(_ value: Double, _ digits: Int, _ text: String) { #expect(fixed(value, digits) == text) }

    /// Never more than half a unit of the last digit away, with exactly so many digits.
    @Test(arguments: [UInt64(1), 2])
    func fixedIsNear(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            let digits = generator.index(below: 9)
            var value = generator.normal()
            for _ in 0..<generator.index(below: 6) { value *= 10 }
            let text = fixed(value, digits)
            let back = try #require(Double(text), "seed \(seed): \(value)")
            var unit = 1.0
            for _ in 0..<digits { unit /= 10 }
            #expect(
                abs(back - value) <= unit * 0.500001 + abs(value) * 1e-15,
                "seed \(seed): \(value), \(digits): \(text)")
            #expect(text.split(separator: ".").dropFirst().first?.count ?? 0 == digits)
        }
    }

    @Test(arguments: [
        (0.0, 3, "0"), (1234.5, 3, "1235"), (12.345, 3, "12.3"), (1.2345, 3, "1.23"), (0.12345, 3, "0.123"),
        (0.00012345, 3, "0.000123"), (-0.0567, 2, "-0.057"), (1e-20, 3, "0.000000000000"),
    ])
    func significantDigits(_ value: Double, _ digits: Int, _ text: String) {
        #expect(significant(value, digits) == text)
    }

    @Test func whatIsNoNumber() {
        #expect(
            fixed(.nan, 2) == "nan" && fixed(-.infinity, 2) == "-inf" && significant(.infinity, 2) == "inf")
        #expect(fixed(1e300, 2) == "1e+300")
    }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1,000"), (-1000, "-1,000"), (1_234_567, "1,234,567"),
        (100_000, "100,000"),
        (-999, "-999"), (1_000_000_007, "1,000,000,007"),
    ])
    func groups(_ value: Int, _ text: String) { #expect(grouped(value) == text) }

    /// Scores of 0 to 100 and perplexity with two digits, shares and correlations with four.
    @Test(arguments: [
        ("BLEU", 32.404_9, "32.40"), ("chrf2", 56.405, "56.41"), ("perplexity", 24.1, "24.10"),
        ("accuracy", 0.912_345, "0.9123"), ("spearman", 0.867_24, "0.8672"), ("Spearman", -0.5, "-0.5000"),
        ("bitsPerByte", 1.234_56, "1.2346"), ("f1", 1, "1.0000"),
    ])
    func metrics(_ name: String, _ value: Double, _ text: String) {
        #expect(metricText(value, of: name) == text)
    }

    @Test(arguments: [(0.0, "0"), (1.234_56, "1.235"), (0.000_123_456, "0.0001235"), (12.345_6, "12.35")])
    func kl(_ value: Double, _ text: String) { #expect(klText(value) == text) }
}
