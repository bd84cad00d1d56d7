import BitplanKernels
import BitplanTensors
import Foundation
import PlanFormat
import Testing

/// Random binary codes with their plain planes at hand.
struct RandomCodes {
    let bits: Int
    let rows: Int
    let columns: Int
    let group: Int?
    let plain: Data
    let alphas: [Float]

    init(bits: Int, rows: Int, columns: Int, group: Int? = nil, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let line = (columns + 7) / 8
        var plain = Data(count: bits * rows * line)
        for i in plain.indices {
            plain[i] = UInt8(truncatingIfNeeded: generator.next())
            // Bits beyond the last column are zero.
            if i % line == line - 1, columns % 8 != 0 { plain[i] &= UInt8(1 << (columns % 8) - 1) }
        }
        let groups = group.map { (columns + $0 - 1) / $0 } ?? 1
        self.bits = bits
        self.rows = rows
        self.columns = columns
        self.group = group
        self.plain = plain
        alphas = (0..<rows * groups * bits).map { _ in Float(generator.normal()) }
    }

    var groups: Int { group.map { (columns + $0 - 1) / $0 } ?? 1 }

    func sign(_ plane: Int, _ row: Int, _ column: Int) -> Float {
        plain[(plane * rows + row) * ((columns + 7) / 8) + column / 8] >> (column % 8) & 1 == 1 ? 1 : -1
    }

    func alpha(_ plane: Int, _ row: Int, _ column: Int) -> Float {
        alphas[(row * groups + column / (group ?? max(columns, 1))) * bits + plane]
    }

    var packed: PackedMatrix {
        return PackedMatrix(
            scheme: .binaryCodes(bits: bits, group: group, alphas: .fp32), rows: rows, columns: columns,
            parts: [
                "signs": PackedTensor(type: .uint8, shape: [bits, rows, (columns + 7) / 8], bytes: plain),
                "alphas": PackedTensor(
                    type: .float32, shape: [rows, groups, bits], bytes: alphas.withUnsafeBytes { Data($0) }),
            ]
        ).inStoredOrder()
    }

    var dense: Matrix {
        var matrix = Matrix(rows: rows, columns: columns)
        for r in 0..<rows {
            for p in 0..<bits { for c in 0..<columns { matrix[r, c] += alpha(p, r, c) * sign(p, r, c) } }
        }
        return matrix
    }

    /// The twin: the same rounding and the same order of sums as the kernels, without tables or layout.
    func twin(_ x: Matrix) -> [Float] {
        var y: [Float] = []
        for t in 0..<x.rows {
            let runs = quantized(Array(x[row: t]))
            for r in 0..<rows {
                var out: Float = 0
                for g in 0..<groups {
                    for p in 0..<bits {
                        var sum: Float = 0
                        for run in runs where run.group == g {
                            var integer = 0
                            for (i, q) in run.codes.enumerated() {
                                integer += q * Int(sign(p, r, run.start + i))
                            }
                            sum += run.scale * Float(integer)
                        }
                        out += alphas[(r * groups + g) * bits + p] * sum
                    }
                }
                y.append(out)
            }
        }
        return y
    }

    /// Runs of at most 256 columns that end at multiples of 32 or at a group's end, rounded so that
    /// the largest sum of 4 neighbours' magnitudes is 4093.
    private func quantized(_ x: [Float]) -> [(group: Int, start: Int, scale: Float, codes: [Int])] {
        var runs: [(Int, Int, Float, [Int])] = []
        let width = group ?? columns
        for g in 0..<groups {
            let end = min((g + 1) * width, columns)
            var start = g * width
            while start < end {
                let next = min(start / 32 * 32 + 256, end)
                // Columns that lie in a nibble of a stored byte; those outside the run count as 0.
                let sums = stride(from: start / 4 * 4, to: next, by: 4).map { first in
                    let four = (first..<first + 4).map { (start..<next).contains($0) ? abs(x[$0]) : 0 }
                    return (four[0] + four[1]) + (four[2] + four[3])
                }
                let largest = sums.max() ?? 0
                let inverse = 4093 / largest
                let codes = x[start..<next].map {
                    largest == 0 ? 0 : Int(($0 * inverse).rounded(.toNearestOrEven))
                }
                runs.append((g, start, largest / 4093, codes))
                start = next
            }
        }
        return runs
    }
}

@Suite("Binary codes from sign planes")
struct BinaryCodeMatrixTests {
    static let shapes = [
        (1, 1), (3, 5), (16, 32), (63, 65), (64, 64), (65, 31), (80, 33), (130, 257), (200, 300), (17, 1000),
        (5, 0),
        (0, 8),
    ]

    @Test("packed size is what the scheme says")
    func size() {
        for (rows, columns) in Self.shapes {
            let packed = RandomCodes(bits: 3, rows: rows, columns: columns, group: 20, seed: 1).packed
            #expect(packed.sizeInBytes == packed.scheme.sizeInBytes(rows: rows, columns: columns))
        }
    }

    @Test("equal to the twin bit for bit, on every instruction set", arguments: 1...8)
    func matchesTwin(bits: Int) throws {
        for (index, (rows, columns)) in Self.shapes.enumerated() {
            for group in [nil, 64, 20, 7] {
                if group != nil, bits > 3 { continue }
                let codes = RandomCodes(
                    bits: bits, rows: rows, columns: columns, group: group, seed: UInt64(index))
                let x = randomMatrix(3, columns, seed: 9)
                let twin = codes.twin(x)
                for instructions in InstructionSet.available {
                    let y = try product(codes.packed, x, instructions)
                    #expect(
                        y == twin,
                        "\(bits) bits, \(rows) x \(columns), \(group ?? 0), \(instructions)")
                }
            }
        }
    }

    @Test("batches equal the portable build bit for bit, on every instruction set", arguments: 1...8)
    func batches(bits: Int) throws {
        // From too few for tiles up to several groups, the last one not full.
        for tokens in [5, 11, 16, 23, 101] {
            for (index, (rows, columns)) in Self.shapes.enumerated() {
                for group in [nil, 64, 20] {
                    let codes = RandomCodes(
                        bits: bits, rows: rows, columns: columns, group: group, seed: UInt64(index))
                    let x = randomMatrix(tokens, columns, seed: UInt64(tokens))
                    let portable = try product(codes.packed, x, .portable)
                    for instructions in InstructionSet.available {
                        let y = try product(codes.packed, x, instructions)
                        #expect(
                            y == portable,
                            "\(tokens) tokens, \(rows) x \(columns), \(group ?? 0), \(instructions)")
                    }
                }
            }
        }
    }

    @Test(
        "close to the dense product; an outlier of 40 standard deviations costs its own run only"
    )
    func accuracy() throws {
        for columns in [512, 2048] {
            let codes = RandomCodes(bits: 3, rows: 100, columns: columns, seed: 3)
            var x = randomMatrix(2, columns, seed: 4)
            let error = relativeError(try product(codes.packed, x), referenceProduct(codes.dense, x))
            #expect(error < 5e-4)
            x[1, 300] = 40
            let withOutlier = relativeError(try product(codes.packed, x), referenceProduct(codes.dense, x))
            #expect(withOutlier < 1e-3)
        }
    }

    @Test("a token's result does not depend on the batch, nor on what shares its tables")
    func batchInvariance() throws {
        let codes = [1, 2, 4].map { RandomCodes(bits: $0, rows: 100, columns: 160, seed: UInt64($0)) }
        let operators = try codes.map { try LinearOperators.make($0.packed) } + [DenseMatrix(codes[0].dense)]
        let x = randomMatrix(9, 160, seed: 5)
        let alone = operators.map { $0(x) }
        for t in [0, 4, 8] {
            for (op, y) in zip(operators, alone) {
                #expect(op(x.gathering(rows: [t])).storage == Array(y[row: t]))
            }
        }
        var outputs = operators.map { [Float](repeating: 0, count: 9 * $0.rows) }
        let pointers = operators.map { UnsafeMutablePointer<Float>.allocate(capacity: 9 * $0.rows) }
        defer { pointers.forEach { $0.deallocate() } }
        multiplyTogether(operators, x.storage, tokens: 9, into: pointers)
        for i in operators.indices {
            outputs[i] = Array(UnsafeBufferPointer(start: pointers[i], count: 9 * operators[i].rows))
            #expect(outputs[i] == alone[i].storage)
        }
    }

    @Test("batches larger than the cache's share are cut without a trace")
    func largeBatches() throws {
        let codes = RandomCodes(bits: 2, rows: 40, columns: 1056, seed: 4)
        let matrix = try LinearOperators.make(codes.packed)
        let x = randomMatrix(101, 1056, seed: 5)
        let y = matrix(x)
        for t in [0, 44, 45, 46, 90, 100] {
            let alone = matrix(x.gathering(rows: [t]))
            #expect(alone.storage == Array(y[row: t]), "token \(t)")
        }
    }

    @Test("rows come back dequantized")
    func rows() throws {
        for group in [nil, 20] {
            let codes = RandomCodes(bits: 3, rows: 70, columns: 77, group: group, seed: 6)
            let matrix = try LinearOperators.make(codes.packed)
            for row in [0, 31, 32, 69] {
                var copy = [Float](repeating: 0, count: 77)
                matrix.copyRow(row, into: &copy)
                #expect(copy == Array(codes.dense[row: row]))
            }
        }
    }

    @Test("zero, infinite and NaN activations")
    func edges() throws {
        let matrix = try LinearOperators.make(RandomCodes(bits: 2, rows: 20, columns: 300, seed: 8).packed)
        #expect(matrix(Matrix(rows: 1, columns: 300)).storage.allSatisfy { $0 == 0 })
        for (bad, tokens) in [(Float.nan, 2), (.infinity, 2), (.nan, 16), (.infinity, 16)] {
            var x = randomMatrix(tokens, 300, seed: 1)
            x[0, 7] = bad
            let y = matrix(x)
            #expect(y[row: 0].allSatisfy { $0.isNaN } && y[row: 1].allSatisfy { $0.isFinite })
        }
    }

    @Test("wrong parts are refused with one clear line")
    func refusals() {
        let good = RandomCodes(bits: 2, rows: 4, columns: 9, seed: 1).packed
        let missing = PackedMatrix(
            scheme: good.scheme, rows: 4, columns: 9, parts: good.parts.filter { $0.key != "alphas" })
        #expect(throws: PackedMatrixError.missingPart(scheme: good.scheme, name: "alphas")) {
            try LinearOperators.make(missing)
        }
        let taller = PackedMatrix(scheme: good.scheme, rows: 5, columns: 9, parts: good.parts)
        #expect {
            try LinearOperators.make(taller)
        } throws: {
            "\($0)" == "part 'signs' of a matrix of scheme bcq2: expected U8 [2, 5, 2], got U8 [2, 4, 2]"
        }
    }
}
