import BitplanKernels
import BitplanTensors
import Foundation
import Testing

/// Against Foundation's double-precision functions, at lengths around the vector width.
@Suite("Vector functions")
struct VectorFunctionsTests {
    static let lengths = [1, 2, 15, 16, 17, 31, 33, 64, 100, 1000]

    static func numbers(_ count: Int, scale: Double = 3) -> [Float] {
        randomMatrix(1, count, seed: UInt64(count)).storage.map { Float(Double($0) * scale) }
    }

    @Test("exponential within 1.5e-7 over its whole range", arguments: InstructionSet.available)
    func exponentials(instructions: InstructionSet) {
        var x = (0..<200_000).map { Float(-87.2 + 175.8 * Double($0) / 200_000) }
        let exact = x.map { exp(Double($0)) }
        exponential(&x, count: x.count, instructions: instructions)
        let worst = zip(x, exact).map { abs(Double($0) / $1 - 1) }.max() ?? 1
        #expect(worst < 1.5e-7)

        var edges: [Float] = [-.infinity, -100, 0, 1000, .nan]
        exponential(&edges, count: 5, instructions: instructions)
        #expect(edges[0] == 0 && edges[1] == 0 && edges[2] == 1 && edges[3].isFinite && edges[4].isNaN)
    }

    @Test("rotations have the bits of their reference twin", arguments: InstructionSet.available)
    func rotations(instructions: InstructionSet) throws {
        for columns in [2, 4, 6, 8, 16, 20, 32, 48, 96, 256, 1536] {
            let rotation = try #require(HadamardRotation(columns: columns))
            var (x, twin) = (Self.numbers(columns), Self.numbers(columns))
            rotation.apply(to: &x, instructions)
            rotation.apply(to: &twin)
            #expect(x == twin, "\(columns) numbers")
        }
    }

    @Test("activations", arguments: InstructionSet.available)
    func activations(instructions: InstructionSet) {
        typealias Function = (UnsafeMutablePointer<Float>, Int, InstructionSet) -> Void
        let functions: [(String, Function, (Double) -> Double)] = [
            ("relu", { relu($0, count: $1, instructions: $2) }, { max($0, 0) }),
            ("swish", { swish($0, count: $1, instructions: $2) }, { $0 / (1 + exp(-$0)) }),
            ("tanh", { hyperbolicTangent($0, count: $1, instructions: $2) }, { tanh($0) }),
            (
                "geluErf", { geluErf($0, count: $1, instructions: $2) },
                { $0 / 2 * erfc(-$0 / 2.0.squareRoot()) }
            ),
            (
                "geluTanh", { geluTanh($0, count: $1, instructions: $2) },
                { $0 / 2 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }
            ),
        ]
        for (name, function, exact) in functions {
            for count in Self.lengths {
                let x = Self.numbers(count) + [-30, -5.5, -1e-6, 0, 1e-6, 0.6, 1.4142, 5.7, 30]
                var y = x
                function(&y, y.count, instructions)
                for (input, output) in zip(x, y) {
                    let error = abs(Double(output) - exact(Double(input)))
                    #expect(error < 3e-7 * max(1, abs(Double(input))), "\(name)(\(input)) = \(output)")
                }
            }
        }
    }

    @Test("softmax, log-softmax and log-sum-exp", arguments: InstructionSet.available)
    func softmaxes(instructions: InstructionSet) {
        for count in Self.lengths {
            let x = Self.numbers(count)
            let sum = x.reduce(0.0) { $0 + exp(Double($1)) }
            #expect(abs(Double(logSumExp(x, count: count, instructions: instructions)) - log(sum)) < 2e-6)
            var probabilities = x
            softmax(&probabilities, count: count, instructions: instructions)
            var logs = x
            logSoftmax(&logs, count: count, instructions: instructions)
            for i in 0..<count {
                #expect(abs(Double(probabilities[i]) * sum / exp(Double(x[i])) - 1) < 3e-6)
                #expect(abs(Double(logs[i]) - (Double(x[i]) - log(sum))) < 3e-6)
            }
        }
        var masked: [Float] = [.infinity * -1, 1, -.infinity, 1]
        softmax(&masked, count: 4, instructions: instructions)
        #expect(masked == [0, 0.5, 0, 0.5])
        #expect(logSumExp([], count: 0, instructions: instructions) == -.infinity)
    }

    @Test("layer norm, with and without gain and bias, in place too", arguments: InstructionSet.available)
    func layerNorms(instructions: InstructionSet) {
        for count in Self.lengths {
            let x = Self.numbers(count).map { $0 + 2 }
            let gain = Self.numbers(count, scale: 1)
            let bias = Self.numbers(count, scale: 2)
            let mean = x.reduce(0.0) { $0 + Double($1) } / Double(count)
            let variance = x.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(count)
            var y = x
            layerNorm(
                y, count: count, gain: gain, bias: bias, epsilon: 1e-5, into: &y, instructions: instructions)
            var plain = [Float](repeating: 0, count: count)
            layerNorm(
                x, count: count, gain: nil, bias: nil, epsilon: 1e-5, into: &plain, instructions: instructions
            )
            for i in 0..<count {
                let normal = (Double(x[i]) - mean) / (variance + 1e-5).squareRoot()
                #expect(abs(Double(plain[i]) - normal) < 2e-5)
                #expect(abs(Double(y[i]) - (normal * Double(gain[i]) + Double(bias[i]))) < 1e-4)
            }
        }
    }

    @Test("the largest numbers are those of a sort")
    func largest() {
        for (count, n, kinds) in [
            (0, 3, 1), (1, 1, 1), (5, 8, 3), (300, 7, 4), (1000, 96, 1_000_000), (200, 96, 1), (192, 96, 50),
        ] {
            let values = Self.numbers(count, scale: Double(kinds)).map { $0.rounded(.down) }
            let sorted = values.indices.sorted { (-values[$0], $0) < (-values[$1], $1) }
            let found = values.withUnsafeBufferPointer { indicesOfLargest(n, of: $0) }
            #expect(found == sorted.prefix(n).sorted(), "\(n) of \(values)")
        }
    }

    @Test(
        "dot products with chosen rows have the bits of those with all", arguments: InstructionSet.available)
    func chosenRows(instructions: InstructionSet) {
        for (rows, dimension) in [(1, 1), (5, 64), (7, 33), (40, 512)] {
            let table = Matrix(
                rows: rows, columns: dimension, storage: Self.numbers(rows * dimension, scale: 1))
            let vector = Self.numbers(dimension, scale: 1)
            var all = [Float](repeating: 0, count: rows)
            dotRows(
                vector, table.storage, stride: dimension, count: rows, dimension: dimension, scale: 1,
                into: &all,
                instructions: instructions)
            let chosen = (0..<3 * rows).map { Int32($0 * 7 % rows) }
            #expect(
                dotRows(vector, table, chosen: chosen[...], instructions: instructions)
                    == chosen.map { all[Int($0)] })
            #expect(dotRows(vector, table, chosen: [], instructions: instructions).isEmpty)
        }
    }

    @Test("dot products and sums of strided rows", arguments: InstructionSet.available)
    func attention(instructions: InstructionSet) {
        for (count, dimension, stride) in [(1, 1, 1), (5, 64, 64), (7, 33, 40), (40, 96, 512), (3, 130, 130)]
        {
            let rows = Self.numbers(count * stride, scale: 1)
            let query = Self.numbers(dimension, scale: 1)
            var scores = [Float](repeating: 0, count: count)
            dotRows(
                query, rows, stride: stride, count: count, dimension: dimension, scale: 0.125, into: &scores,
                instructions: instructions)
            var out = [Float](repeating: 0, count: dimension)
            combineRows(
                scores, rows, stride: stride, count: count, dimension: dimension, into: &out,
                instructions: instructions)
            for j in 0..<count {
                let exact = (0..<dimension).reduce(0.0) {
                    $0 + Double(query[$1]) * Double(rows[j * stride + $1])
                }
                #expect(abs(Double(scores[j]) - exact / 8) < 1e-5)
            }
            for i in 0..<dimension {
                let exact = (0..<count).reduce(0.0) {
                    $0 + Double(scores[$1]) * Double(rows[$1 * stride + i])
                }
                #expect(abs(Double(out[i]) - exact) < 1e-4)
            }
            var sum = query
            add(query, to: &sum, count: dimension, instructions: instructions)
            #expect(sum == query.map { 2 * $0 })
        }
    }

    @Test(
        "weighted sums of rows in pieces have the bits of those in one", arguments: InstructionSet.available)
    func sumsInPieces(instructions: InstructionSet) {
        for dimension in [5, 64, 83] {
            let rows = Self.numbers(40 * dimension, scale: 1)
            let weights = Self.numbers(40, scale: 1)
            func sums(_ pieces: [Range<Int>]) -> [Float] {
                var out = [Float](repeating: 7, count: dimension)
                for piece in pieces {
                    rows.withUnsafeBufferPointer { rows in
                        weights.withUnsafeBufferPointer { weights in
                            combineRows(
                                weights.baseAddress! + piece.lowerBound,
                                rows.baseAddress! + piece.lowerBound * dimension, stride: dimension,
                                count: piece.count, dimension: dimension, into: &out,
                                adding: piece.lowerBound > 0, instructions: instructions)
                        }
                    }
                }
                return out
            }
            #expect(sums([0..<16, 16..<32, 32..<40]) == sums([0..<40]))
        }
    }

    @Test("the first of the largest numbers", arguments: InstructionSet.available)
    func largest(instructions: InstructionSet) {
        for count in [1, 2, 15, 16, 63, 64, 65, 200, 1000] {
            var x = Self.numbers(count, scale: 3)
            func expect(_ index: Int) {
                #expect(
                    indexOfLargest(x, count: count, instructions: instructions) == index,
                    "\(count) numbers, \(instructions)")
            }
            expect(x.indices.max { (x[$0], $1) < (x[$1], $0) } ?? 0)
            for place in [0, count / 2, count - 1] {
                x[place] = 50
                x[count - 1] = 50
                expect(place)
                x[place] = -1
            }
            x = [Float](repeating: -.infinity, count: count)
            expect(0)
            x[count - 1] = .nan
            expect(0)
        }
        #expect(indexOfLargest([1], count: 0, instructions: instructions) == 0)
    }
}
