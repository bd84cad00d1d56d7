import BitplanKernels
import BitplanTensors
import Foundation
import Testing

/// The ways back of the vector functions against central differences in double precision.
@Suite struct GradientFunctionTests {
    @Test(arguments: InstructionSet.available)
    func functions(_ instructions: InstructionSet) {
        func gelu(_ x: Double) -> Double { x / 2 * erfc(-x / 2.0.squareRoot()) }
        let functions: [(VectorFunction, (Double) -> Double)] = [
            (.relu, { max($0, 0) }), (.swish, { $0 / (1 + exp(-$0)) }), (.geluErf, gelu),
            (
                .geluTanh,
                {
                    $0 / 2
                        * (1 + Foundation.tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)))
                }
            ), (.tanh, { Foundation.tanh($0) }),
        ]
        for (function, exact) in functions {
            for count in VectorFunctionsTests.lengths {
                let x = VectorFunctionsTests.numbers(count) + [-30, -5.5, -0.3, 0.2, 1.4142, 5.7, 30]
                let arguments = function == .tanh ? x.map { Float(Foundation.tanh(Double($0))) } : x
                var dy = x.map { _ in Float(2) }
                functionGradient(function, arguments, count: x.count, &dy, instructions: instructions)
                for (input, slope) in zip(x, dy) {
                    let step = 1e-5
                    let expected = (exact(Double(input) + step) - exact(Double(input) - step)) / step
                    #expect(
                        abs(Double(slope) - expected) < 2e-6 * max(1, abs(expected)), "\(function)'(\(input))"
                    )
                }
            }
        }
    }

    @Test(arguments: InstructionSet.available)
    func norms(_ instructions: InstructionSet) {
        for count in [1, 2, 15, 16, 33, 100] {
            let (x, gain, dy) = (
                VectorFunctionsTests.numbers(count), randomMatrix(1, count, seed: 1).storage,
                randomMatrix(1, count, seed: 2).storage
            )
            for isCentred in [true, false] {
                func loss(_ x: [Double], _ gain: [Double]) -> Double {
                    let mean = isCentred ? x.reduce(0, +) / Double(count) : 0
                    let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
                    return (0..<count).reduce(0) {
                        $0 + Double(dy[$1]) * (x[$1] - mean) / (variance + 0.1).squareRoot() * gain[$1]
                    }
                }
                var dx = dy
                var (gains, biases) = (
                    [Float](repeating: 1, count: count), [Float](repeating: 1, count: count)
                )
                gains.withUnsafeMutableBufferPointer { gains in
                    biases.withUnsafeMutableBufferPointer { biases in
                        guard let gains = gains.baseAddress, let biases = biases.baseAddress else { return }
                        normGradient(
                            x, count: count, gain: gain, epsilon: 0.1, &dx, gainGradient: gains,
                            biasGradient: isCentred ? biases : nil, instructions: instructions)
                    }
                }
                let (at, scale) = (x.map(Double.init), gain.map(Double.init))
                for index in 0..<count {
                    func slope(_ change: (Double) -> Double) -> Double {
                        (change(1e-5) - change(-1e-5)) / 2e-5
                    }
                    let ofX = slope { step in
                        var moved = at
                        moved[index] += step
                        return loss(moved, scale)
                    }
                    let ofGain = slope { step in
                        var moved = scale
                        moved[index] += step
                        return loss(at, moved)
                    }
                    #expect(abs(Double(dx[index]) - ofX) < 1e-5 * max(1, abs(ofX)))
                    // Gradients are added to what was there.
                    #expect(abs(Double(gains[index]) - 1 - ofGain) < 1e-5 * max(1, abs(ofGain)))
                    if isCentred { #expect(abs(biases[index] - 1 - dy[index]) < 1e-6) }
                }
            }
        }
    }
}
