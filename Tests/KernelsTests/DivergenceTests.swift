import BitplanKernels
import BitplanTensors
import Foundation
import Testing

/// KL by its definition in Double.
private func reference(_ p: [Float], _ q: [Float]) -> Double {
    func logSoftmax(_ x: [Float]) -> [Double] {
        let top = Double(x.max() ?? 0)
        let sum = x.reduce(0.0) { $0 + exp(Double($1) - top) }
        return x.map { Double($0) - top - log(sum) }
    }
    return zip(logSoftmax(p), logSoftmax(q)).reduce(0.0) { $0 + exp($1.0) * ($1.0 - $1.1) }
}

@Suite struct DivergenceTests {
    @Test(arguments: [1, 2, 15, 16, 17, 100, 1023, 1024, 1040, 4001], [1e-4, 1e-2, 0.3, 2, 30])
    func equalsTheDefinition(count: Int, spread: Double) {
        var generator = SeededGenerator(seed: UInt64(count))
        let p = (0..<count).map { _ in Float(3 * generator.normal()) }
        let q = p.map { $0 + Float(spread * generator.normal() + 5) }
        let expected = reference(p, q)
        for instructions in InstructionSet.allCases where instructions <= .best {
            let got = klDivergence(p, q, count: count, instructions: instructions)
            #expect(abs(got - expected) <= 2e-5 * expected + 1e-9, "\(instructions) \(got) \(expected)")
            #expect(klDivergence(p, p, count: count, instructions: instructions) == 0)
        }
    }

    @Test func largeDifferencesStayFinite() {
        let p: [Float] = [0, -200, 5]
        let q: [Float] = [0, 200, 5]
        let expected = reference(p, q)
        #expect(abs(klDivergence(p, q, count: 3) - expected) < 1e-3 * expected)
    }
}
