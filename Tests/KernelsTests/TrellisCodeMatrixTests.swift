import BitplanKernels
import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat
import Testing

@Suite("Trellis codes")
struct TrellisCodeMatrixTests {
    static let shapes = [
        (1, 1), (1, 33), (7, 1), (3, 31), (8, 32), (9, 100), (255, 33), (256, 64), (257, 65), (300, 100),
        (64, 512), (515, 40), (20, 513), (17, 1100), (5, 0), (0, 8),
    ]

    /// Random codes of so many bits for two weights, with these traits.
    private func random(
        _ pairBits: Int, _ rows: Int, _ columns: Int, traits: String = "", seed: UInt64 = 1
    ) throws -> RandomTrellisCodes {
        let scheme = try #require(
            Scheme.trellisCodes(
                pairBits: pairBits, columnScales: traits.contains("c"), rotation: traits.contains("h")
            ).family as? Scheme.TrellisCodes)
        return RandomTrellisCodes(scheme, rows: rows, columns: columns, seed: seed)
    }

    /// Activations as a kernel rounds them: at most `limit` steps either way, for `run` columns the same
    /// step.
    private func rounded(_ x: Matrix, limit: Float, run: Int) -> Matrix {
        var result = x
        for t in 0..<x.rows {
            for start in stride(from: 0, to: x.columns, by: run) {
                let columns = start..<min(start + run, x.columns)
                let largest = columns.map { abs(x[t, $0]) }.max() ?? 0
                for c in columns where largest > 0 {
                    let steps = (x[t, c] * (limit / largest)).rounded(.toNearestOrEven)
                    result[t, c] = steps * (largest / limit)
                }
            }
        }
        return result
    }

    @Test("the product with rounded activations, bit for bit on all instruction sets", arguments: 2...8)
    func products(pairBits: Int) throws {
        for (index, (rows, columns)) in Self.shapes.enumerated() {
            let codes = try random(pairBits, rows, columns, seed: UInt64(index))
            let packed = codes.packed
            #expect(packed.sizeInBytes == packed.scheme.sizeInBytes(rows: rows, columns: columns))
            let x = randomMatrix(3, columns, seed: 77)
            let steps = [rounded(x, limit: 127, run: max(1, columns)), rounded(x, limit: 32639, run: 512)]
            for bytes in 1...2 {
                let twin = try TrellisCodeMatrix(packed, activationBytes: bytes, instructions: .portable)
                let portable = twin(x)
                let error = relativeError(portable.storage, referenceProduct(codes.dense, steps[bytes - 1]))
                #expect(error < 2e-6, "\(rows) x \(columns), \(bytes) bytes: \(error)")
                for instructions in InstructionSet.available {
                    let matrix = try TrellisCodeMatrix(
                        packed, activationBytes: bytes, instructions: instructions)
                    #expect(matrix(x) == portable, "\(rows) x \(columns), \(bytes) bytes, \(instructions)")
                }
            }
        }
    }

    @Test("tables stay within what sums of 32 bits bear", arguments: 2...8)
    func tables(pairBits: Int) {
        let table = TrellisTable.pairBits(pairBits)
        #expect(table.high.count == 16 && table.low.count == 16)
        #expect((table.high + table.low).allSatisfy { $0 < 64 })
        #expect(table.offset >= 0 && table.offset < 127 && (2 * table.offset).rounded() == 2 * table.offset)
        #expect(table.step > 0 && table.step.isFinite)
    }

    @Test("within 1e-4 of the product with unrounded activations", arguments: ["", ":c", ":h", ":c:h"])
    func accuracy(traits: String) throws {
        for pairBits in 2...8 {
            for (rows, columns) in [(257, 96), (40, 640)] {
                let codes = try random(pairBits, rows, columns, traits: traits)
                let x = randomMatrix(5, columns, seed: 3)
                let error = relativeError(try product(codes.packed, x), referenceProduct(codes.dense, x))
                #expect(error < 1e-4 && error > 0, "\(codes.scheme.scheme), \(rows) x \(columns): \(error)")
            }
        }
    }

    @Test("a token's result does not depend on the batch, the instruction set, or what shares its input")
    func batchInvariance() throws {
        let traits = ["", ":h", "", ":c", ":h", ":c:h"]
        let codes = try traits.indices.map {
            try random($0 + 2, 270, 160, traits: traits[$0], seed: UInt64($0))
        }
        let x = randomMatrix(131, 160, seed: 5)
        func operators(_ instructions: InstructionSet) throws -> [any LinearOperator] {
            var operators: [any LinearOperator] = []
            for code in codes {
                operators.append(try LinearOperators.make(code.packed, instructions: instructions))
            }
            return operators
        }
        let portable = try operators(.portable).map { $0(x) }
        for instructions in InstructionSet.available {
            let operators = try operators(instructions)
            #expect(multiplyTogether(operators, x) == portable, "\(instructions)")
            for (op, y) in zip(operators, portable) {
                for token in [0, 1, 63, 64, 130] {
                    #expect(op(x.gathering(rows: [token])).storage == Array(y[row: token]), "token \(token)")
                }
                for tokens in [2, 3, 64, 65] {
                    let some = op(x.gathering(rows: Array(0..<tokens)))
                    #expect(some.storage == Array(y.storage.prefix(tokens * 270)), "\(tokens) tokens")
                }
            }
        }
    }

    @Test("matrices share prepared activations where rotation and columns' scales are equal")
    func sharing() throws {
        func preparation(_ traits: String, bytes: Int = 2, seed: UInt64 = 1) throws -> Preparation {
            let codes = try random(4, 16, 64, traits: traits, seed: seed)
            return try TrellisCodeMatrix(codes.packed, activationBytes: bytes).preparation
        }
        #expect(try preparation("") == preparation("", seed: 2))
        #expect(try preparation(":h") == preparation(":h", seed: 2))
        #expect(try preparation(":c") == preparation(":c"))
        #expect(try preparation(":c") != preparation(":c", seed: 2))
        #expect(try preparation(":h") != preparation(""))
        #expect(try preparation("", bytes: 1) != preparation(""))
    }

    @Test("rows are those of the decoder and of the definition", arguments: ["", ":c", ":h", ":c:h"])
    func rows(traits: String) throws {
        for pairBits in 2...8 {
            for (rows, columns) in [(1, 2), (3, 20), (13, 34), (256, 20), (270, 48)] {
                let codes = try random(pairBits, rows, columns, traits: traits)
                let (matrix, dense) = (try LinearOperators.make(codes.packed), codes.dense)
                let decoded = try Quantizer.decode(codes.packed)
                for row in 0..<rows {
                    var copy = [Float](repeating: 0, count: columns)
                    matrix.copyRow(row, into: &copy)
                    #expect(copy == Array(decoded[row: row]), "\(codes.scheme.scheme), row \(row)")
                    let largest = dense[row: row].map { abs($0) }.max() ?? 0
                    for (a, b) in zip(copy, dense[row: row]) {
                        #expect(abs(a - b) <= 2e-6 * largest, "\(codes.scheme.scheme), row \(row)")
                    }
                }
            }
        }
    }

    @Test("zero, infinite and NaN activations", arguments: [1, 2])
    func edges(bytes: Int) throws {
        for instructions in InstructionSet.available {
            let matrix = try TrellisCodeMatrix(
                random(4, 20, 600).packed, activationBytes: bytes, instructions: instructions)
            #expect(matrix(Matrix(rows: 1, columns: 600)).storage.allSatisfy { $0 == 0 })
            for (bad, tokens) in [(Float.nan, 1), (.nan, 3), (.infinity, 1), (.infinity, 3)] {
                var x = randomMatrix(tokens, 600, seed: 1)
                x[0, 7] = bad
                let y = matrix(x)
                #expect(y[row: 0].allSatisfy { $0.isNaN })
                #expect((1..<tokens).allSatisfy { y[row: $0].allSatisfy(\.isFinite) })
            }
        }
    }

    @Test("wrong parts are refused with one clear line")
    func refusals() throws {
        let good = try random(6, 260, 9, traits: ":c").packed
        func refused(_ parts: [String: PackedTensor], rows: Int = 260) -> String? {
            let packed = PackedMatrix(scheme: good.scheme, rows: rows, columns: 9, parts: parts)
            do {
                _ = try LinearOperators.make(packed)
                return nil
            } catch { return "\(error)" }
        }
        #expect(refused(good.parts) == nil)
        let what = "a matrix of scheme tcq3:c"
        for name in ["codes", "scales", "columnScales"] {
            #expect(
                refused(good.parts.filter { $0.key != name })
                    == "\(what) needs the part '\(name)', which is missing")
        }
        // A line short, as where a file was cut, and a row more than the codes have.
        var cut = good.parts
        cut["codes"] = PackedTensor(type: .uint8, shape: [97, 9], bytes: Data(count: 97 * 9))
        #expect(refused(cut) == "part 'codes' of \(what): expected U8 [98, 9], got U8 [97, 9]")
        let taller = refused(good.parts, rows: 264)
        #expect(taller == "part 'codes' of \(what): expected U8 [99, 9], got U8 [98, 9]")
        var other = good.parts
        other["scales"] = PackedTensor([260], [Float](repeating: 1, count: 260))
        #expect(refused(other) == "part 'scales' of \(what): expected F16 [260], got F32 [260]")
        let rotated = PackedMatrix(
            scheme: try #require(Scheme("tcq2:h")), rows: 8, columns: 9,
            parts: try random(4, 8, 9).packed.parts)
        #expect {
            try LinearOperators.make(rotated)
        } throws: {
            "\($0)"
                == "a matrix of scheme tcq2:h: expected an even number of columns for a rotation, got (8, 9)"
        }
        var more = good.parts
        more["offsets"] = PackedTensor([1], [1])
        #expect(refused(more) == "part 'offsets' of \(what): expected no such part, got F32 [1]")
    }
}
