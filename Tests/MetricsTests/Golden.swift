import Foundation
import TestSupport
import Testing

/// Reads what `Scripts/goldens/metrics.py` made.
func golden<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
    let file = TestFiles.root.appending(path: "Tests/MetricsTests/Goldens/\(name).json")
    return try JSONDecoder().decode(Value.self, from: Data(contentsOf: file))
}

/// A golden file that is nothing but cases.
struct Cases<Case: Decodable>: Decodable {
    var cases: [Case]
}

/// Whether two numbers agree within `tolerance`, relative to the expected one where that is above 1.
func agrees(_ value: Double, _ expected: Double, within tolerance: Double) -> Bool {
    abs(value - expected) <= tolerance * max(1, abs(expected))
}

/// A small seeded generator for property tests; the seed is in the test's arguments, so failures print it.
struct TestRandom: RandomNumberGenerator {
    var state: UInt64

    init(seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_F491_4F6C_DD1D
    }

    mutating func normal() -> Double {
        let radius = (-2 * log(Double.random(in: .leastNonzeroMagnitude...1, using: &self))).squareRoot()
        return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &self))
    }
}
