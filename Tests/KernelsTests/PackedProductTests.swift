import BitplanKernels
import BitplanTensors
import Foundation
import PlanFormat
import Testing

/// Products of every scheme but binary codes against the dense matrix that the codes stand for.
@Suite("Products of packed matrices")
struct PackedProductTests {
    static let shapes = [
        (1, 1), (3, 5), (16, 32), (63, 65), (64, 64), (65, 31), (130, 257), (70, 320), (17, 1000), (64, 512),
        (5, 0),
    ]

    /// Relative error that a scheme's own rounding of the activations leaves, or FP32 sums.
    static let weightOnly: [(String, Double)] =
        (2...8).flatMap { bits in
            ["int\(bits)", "int\(bits):asym", "int\(bits):g64:asym"].map { ($0, 1e-4) }
        } + [
            ("int3:tensor", 1e-4), ("int5:g20", 1e-4), ("int8:tensor:asym", 1e-4), ("int4:g7", 1e-4),
            ("index8", 1e-4),
            // Levels of 12 bits.
            ("nf4", 3e-4), ("nf4:dq", 3e-4), ("nf4:b32", 3e-4), ("pq:b8:k256", 2e-6),
            ("pq:b4:k256:int8", 2e-6),
            ("pq:b3:k5", 2e-6), ("pq:b8:k100:int8", 2e-6), ("pq:b9:k2", 2e-6),
            ("tcq1", 1e-4), ("tcq1.5", 1e-4), ("tcq2", 1e-4), ("tcq2.5", 1e-4), ("tcq3", 1e-4),
            ("tcq4", 1e-4), ("tcq3:c", 1e-4),
        ]

    @Test("weight-only schemes stay close to the dense product", arguments: weightOnly)
    func closeToDense(name: String, tolerance: Double) throws {
        let scheme = try #require(Scheme(name))
        for (index, (rows, columns)) in Self.shapes.enumerated() {
            let random = RandomPackedMatrix(scheme, rows: rows, columns: columns, seed: UInt64(index))
            #expect(random.packed.sizeInBytes == scheme.sizeInBytes(rows: rows, columns: columns))
            let x = randomMatrix(5, columns, seed: 77)
            let exact = referenceProduct(random.dense, x)
            for instructions in InstructionSet.available {
                let error = relativeError(try product(random.packed, x, instructions), exact)
                #expect(error < tolerance, "\(name), \(rows) x \(columns), \(instructions): \(error)")
            }
        }
    }

    @Test(
        "NF4 is the product of levels rounded to 12 bits, within the rounding of activations",
        arguments: [32, 64, 320])
    func roundedLevels(block: Int) throws {
        for rows in [63, 64, 130] {
            let columns = 2 * block
            let random = RandomPackedMatrix(
                .normalFloat4(block: block, doubleQuantization: false), rows: rows, columns: columns,
                seed: UInt64(rows))
            let scales = try random.packed.part("scales").floats
            var rounded = random.dense
            for (index, weight) in rounded.storage.enumerated() {
                let scale = scales[index / block]
                rounded.storage[index] = (weight / scale * 2047).rounded() / 2047 * scale
            }
            let x = randomMatrix(3, columns, seed: 5)
            // A run of 256 columns has 13 bits, of 32 columns 16.
            let error = relativeError(try product(random.packed, x), referenceProduct(rounded, x))
            #expect(error < (block == 320 ? 4e-4 : 1e-4))
        }
    }

    @Test("W8A8 is the product with activations rounded to 8 bits a token")
    func roundedActivations() throws {
        for (rows, columns) in Self.shapes {
            let random = RandomPackedMatrix(.integer8Activations, rows: rows, columns: columns, seed: 3)
            let x = randomMatrix(5, columns, seed: 4)
            let rounded = x.mapRows { row in
                let scale = (row.map { abs($0) }.max() ?? 0) / 127
                return row.map { scale == 0 ? 0 : ($0 / scale).rounded(.toNearestOrEven) * scale }
            }
            let exact = referenceProduct(random.dense, rounded)
            for instructions in InstructionSet.available {
                #expect(relativeError(try product(random.packed, x, instructions), exact) < 1e-5)
            }
        }
    }

    @Test("sign is the exact product of signs", arguments: [false, true])
    func signProducts(scaled: Bool) throws {
        for (rows, columns) in Self.shapes {
            let random = RandomPackedMatrix(.sign(scaled: scaled), rows: rows, columns: columns, seed: 3)
            var x = randomMatrix(5, columns, seed: 4)
            if columns > 0 { x[0, 0] = 0 }
            let exact = referenceProduct(random.dense, x.mapRows { $0.map { $0 > 0 ? 1 : -1 } })
            for instructions in InstructionSet.available {
                #expect(try product(random.packed, x, instructions) == exact.map { Float($0) })
            }
        }
    }

    @Test("BitLinear is the product behind normalisation and 8-bit rounding", arguments: [1, 3])
    func bitLinear(groups: Int) throws {
        for (rows, columns) in Self.shapes where columns > 1 {
            let random = RandomPackedMatrix(.bitLinear(groups: groups), rows: rows, columns: columns, seed: 3)
            let x = randomMatrix(5, columns, seed: 4)
            let rounded = x.mapRows { row in
                let mean = row.reduce(0.0) { $0 + Double($1) } / Double(row.count)
                let variance = row.reduce(0.0) { $0 + pow(Double($1) - mean, 2) } / Double(row.count)
                let normal = row.map { (Double($0) - mean) / (variance + 1e-5).squareRoot() }
                let gamma = normal.map { abs($0) }.max() ?? 0
                return normal.map { Float(min(max(($0 * 128 / gamma).rounded(), -127), 127) * gamma / 128) }
            }
            let exact = referenceProduct(random.dense, rounded)
            for instructions in InstructionSet.available {
                // A number within rounding of a half may fall to either side: one step of 1/128 in one
                // column.
                let error = relativeError(try product(random.packed, x, instructions), exact)
                #expect(error < (columns < 300 ? 2e-2 : 2e-3), "\(rows) x \(columns): \(error)")
            }
        }
    }

    static let integerSums = [
        "int2", "int3:asym", "int4", "int4:g64:asym", "int5:g20", "int6", "int7:asym", "int8", "index8",
        "w8a8", "sign",
        "bitlinear", "tcq1", "tcq2", "tcq2.5", "tcq3", "tcq4", "tcq3:c",
    ]

    @Test("integer sums agree bit for bit on every instruction set", arguments: integerSums)
    func bitForBit(name: String) throws {
        let scheme = try #require(Scheme(name))
        for (rows, columns) in Self.shapes where columns > 0 {
            let packed = RandomPackedMatrix(scheme, rows: rows, columns: columns, seed: 5).packed
            // Few tokens meet codes on their way from memory, more of them decoded panels.
            for tokens in [1, 4, 7, 37] {
                let x = randomMatrix(tokens, columns, seed: 6)
                let portable = try product(packed, x, .portable)
                for instructions in InstructionSet.available {
                    #expect(
                        try product(packed, x, instructions) == portable,
                        "\(rows) x \(columns), \(tokens) tokens, \(instructions)")
                }
            }
        }
    }

    static let all = integerSums + ["nf4", "nf4:dq", "pq:b8:k256", "pq:b4:k16:int8", "fp16", "fp32"]

    @Test("a token's result does not depend on the batch; rows come back dequantized", arguments: all)
    func batchInvariance(name: String) throws {
        let scheme = try #require(Scheme(name))
        for (rows, columns) in [(70, 77), (128, 192)] {
            let random: RandomPackedMatrix
            if case .fullPrecision(let full) = scheme {
                random = RandomPackedMatrix(wholeNumbers: full.type, rows: rows, columns: columns)
            } else {
                random = RandomPackedMatrix(scheme, rows: rows, columns: columns, seed: 8)
            }
            for instructions in InstructionSet.available {
                let matrix = try LinearOperators.make(random.packed, instructions: instructions)
                for tokens in [2, 8, 37] {
                    let x = randomMatrix(tokens, columns, seed: 9)
                    let together = matrix(x)
                    for t in [0, 1, 2, 3, 7, 33, 36] where t < tokens {
                        let alone = matrix(x.gathering(rows: [t]))
                        #expect(
                            alone.storage == Array(together[row: t]),
                            "token \(t) of \(tokens), \(instructions)")
                    }
                }
            }
            let matrix = try LinearOperators.make(random.packed)
            for row in [0, 63, 64, 69] {
                var copy = [Float](repeating: 0, count: columns)
                matrix.copyRow(row, into: &copy)
                let worst = zip(copy, random.dense[row: row]).map { abs($0 - $1) }.max() ?? 0
                #expect(worst < 1e-6)
            }
        }
    }

    @Test("a clustered embedding looks up and multiplies in the order of tokens")
    func clusters() throws {
        for (rows, clusters, ratio) in [(100, 4, 4), (37, 3, 2), (3, 4, 8), (200, 1, 1)] {
            let scheme = Scheme.clusteredCodes(clusters: clusters, ratio: ratio, alphas: .fp32)
            let sizes = try #require(scheme.family as? Scheme.ClusteredCodes).sizes(rows: rows)
            var generator = SeededGenerator(seed: 1)
            let membership = sizes.enumerated().flatMap { [UInt8](repeating: UInt8($0), count: $1) }
                .shuffled(using: &generator)
            let order = sizes.indices.flatMap { i in (0..<rows).filter { membership[$0] == UInt8(i) } }
            var parts = ["cluster": PackedTensor(type: .uint8, shape: [rows], bytes: Data(membership))]
            var dense = Matrix(rows: rows, columns: 70)
            var start = 0
            for (i, size) in sizes.enumerated() {
                let codes = RandomCodes(bits: clusters - i, rows: size, columns: 70, seed: UInt64(i))
                parts["signs.\(i)"] = codes.packed.parts["signs"]
                parts["alphas.\(i)"] = codes.packed.parts["alphas"]
                let rowsOfCluster = codes.dense
                for r in 0..<size {
                    for c in 0..<70 { dense[order[start + r], c] = rowsOfCluster[r, c] }
                }
                start += size
            }
            let packed = PackedMatrix(scheme: scheme, rows: rows, columns: 70, parts: parts)
            let x = randomMatrix(3, 70, seed: 2)
            #expect(relativeError(try product(packed, x), referenceProduct(dense, x)) < 7e-4)
            #expect(packed.inPlainOrder().inStoredOrder() == packed)
            let matrix = try LinearOperators.make(packed)
            for token in [0, rows / 2, rows - 1] {
                var copy = [Float](repeating: 0, count: 70)
                matrix.copyRow(token, into: &copy)
                #expect(copy == Array(dense[row: token]))
            }
            parts["cluster"] = PackedTensor(
                type: .uint8, shape: [rows], bytes: Data(repeating: UInt8(clusters), count: rows))
            let outside = PackedMatrix(scheme: scheme, rows: rows, columns: 70, parts: parts)
            #expect(throws: PackedMatrixError.self) { try LinearOperators.make(outside) }
        }
    }

    @Test("an index beyond the book is refused")
    func badIndex() throws {
        let good = RandomPackedMatrix(try #require(Scheme("pq:b4:k5")), rows: 2, columns: 8, seed: 1).packed
        var parts = good.parts
        parts["indices"] = PackedTensor(type: .uint8, shape: [2], bytes: Data([0xff, 0xff]))
        let bad = PackedMatrix(scheme: good.scheme, rows: 2, columns: 8, parts: parts)
        #expect {
            try LinearOperators.make(bad)
        } throws: {
            "\($0)" == "part 'indices' of a matrix of scheme pq:b4:k5, index 0: 7 of 5 centroids"
        }
    }
}

extension Matrix {
    fileprivate func mapRows(_ transform: ([Float]) -> [Float]) -> Matrix {
        Matrix(rows: rows, columns: columns, storage: (0..<rows).flatMap { transform(Array(self[row: $0])) })
    }
}

extension RandomPackedMatrix {
    /// Small whole numbers, the same in FP16 and FP32.
    fileprivate init(wholeNumbers type: Scheme.FloatType, rows: Int, columns: Int) {
        let numbers = (0..<rows * columns).map { Float($0 % 5 - 2) }
        dense = Matrix(rows: rows, columns: columns, storage: numbers)
        let halves = numbers.map { [0xc000, 0xbc00, 0, 0x3c00, 0x4000][Int($0) + 2] as UInt16 }
        let tensor =
            type == .fp32
            ? PackedTensor([rows, columns], numbers)
            : PackedTensor(
                type: .float16, shape: [rows, columns], bytes: halves.withUnsafeBytes { Data($0) })
        packed = PackedMatrix(scheme: .full(type), rows: rows, columns: columns, parts: ["weights": tensor])
    }
}
