import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat
import Testing

/// Inputs whose channels are correlated and of different size, and their second moments.
private func randomMoments(columns: Int, tokens: Int, seed: UInt64) -> Matrix {
    var generator = SeededGenerator(seed: seed)
    var moments = [Double](repeating: 0, count: columns * columns)
    for _ in 0..<tokens {
        var input: [Double] = []
        var carried = 0.0
        for column in 0..<columns {
            carried = 0.7 * carried + generator.normal()
            input.append(carried * (0.3 + Double(column % 7)))
        }
        for row in 0..<columns {
            for column in 0..<columns { moments[row * columns + column] += input[row] * input[column] }
        }
    }
    return Matrix(rows: columns, columns: columns, storage: moments.map { Float($0) })
}

/// `(w - w^)' H (w - w^)` of each row, H scaled to mean diagonal 1 with `added` on the diagonal.
private func weightedErrors(_ weights: Matrix, _ decoded: Matrix, _ moments: Matrix, added: Double = 0)
    -> [Double]
{
    let size = weights.columns
    let trace = (0..<size).reduce(0.0) { $0 + Double(moments[$1, $1]) }
    let scale = trace > 0 ? Double(size) / trace : 1
    return (0..<weights.rows).map { row in
        let error = (0..<size).map { Double(weights[row, $0]) - Double(decoded[row, $0]) }
        var sum = 0.0
        for i in 0..<size {
            var product = added * error[i]
            for j in 0..<size { product += Double(moments[i, j]) * scale * error[j] }
            sum += error[i] * product
        }
        return sum
    }
}

@Suite struct CalibratedTests {
    /// Schemes with a grid, and how much less of the start's error is left at most, on these correlated
    /// inputs.
    static let cases: [(String, Double)] = [
        ("bcq1", 0.9), ("bcq2", 0.8), ("bcq3", 0.8), ("bcq4", 0.8), ("bcq2:g16", 0.9), ("bcq3:fp16", 0.8),
        ("bcq2:g20:fp16", 0.9), ("int2", 0.8), ("int4", 0.8), ("int3:asym", 0.8), ("int4:g16", 0.8),
        ("int4:tensor", 0.8),
        ("int3:g16:asym:fp16", 0.8), ("nf4", 0.8), ("nf4:b16", 0.8), ("nf4:dq", 0.8), ("nf4:b50", 0.8),
        ("int8", 0.9),
    ]

    @Test(arguments: cases)
    func errorOnTheInputsFalls(_ text: String, _ bound: Double) throws {
        let scheme = try #require(Scheme(text))
        for (rows, columns) in [(37, 48), (16, 65)] {
            let weights = randomWeights(rows: rows, columns: columns, seed: 21)
            let moments = randomMoments(columns: columns, tokens: 4 * columns, seed: 22)
            let context = CalibrationContext(moments: moments)
            let start = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: .alternating))
            let packed = try Quantizer.encode(weights, as: scheme, fit: .calibrated, context: context)
            #expect(packed.sizeInBytes == scheme.sizeInBytes(rows: rows, columns: columns))
            let fitted = try Quantizer.decode(packed)
            let before = weightedErrors(weights, start, moments)
            let after = weightedErrors(weights, fitted, moments)
            for row in 0..<rows {
                #expect(after[row] <= before[row] * (1 + 1e-5), "row \(row) of (\(rows), \(columns))")
            }
            #expect(after.reduce(0, +) < bound * before.reduce(0, +), "(\(rows), \(columns))")
        }
    }

    @Test func clustersAreCalibratedToo() throws {
        let weights = randomWeights(rows: 60, columns: 32, seed: 23)
        let moments = randomMoments(columns: 32, tokens: 128, seed: 24)
        let scheme = try #require(Scheme("emb3:r2"))
        let context = CalibrationContext(
            moments: moments, rowFrequencies: (0..<60).map { Double(($0 * 7) % 60) })
        let plain = try Quantizer.decode(
            Quantizer.encode(weights, as: scheme, fit: .alternating, context: context))
        let fitted = try Quantizer.decode(
            Quantizer.encode(weights, as: scheme, fit: .calibrated, context: context))
        let before = weightedErrors(weights, plain, moments)
        let after = weightedErrors(weights, fitted, moments)
        for row in 0..<60 { #expect(after[row] <= before[row] * (1 + 1e-5)) }
        #expect(after.reduce(0, +) < 0.8 * before.reduce(0, +))
    }

    /// Codes cannot be improved by changing any single weight: the descent has nothing left.
    @Test func noSingleChangeHelps() throws {
        let (rows, columns) = (5, 24)
        let weights = randomWeights(rows: rows, columns: columns, seed: 25)
        let moments = randomMoments(columns: columns, tokens: 200, seed: 26)
        let context = CalibrationContext(moments: moments, damping: 0.05)
        let scheme = Scheme.integer(bits: 3, symmetric: true, granularity: .tensor, scales: .fp32)
        let packed = try Quantizer.encode(weights, as: scheme, fit: .calibrated, context: context)
        let decoded = try Quantizer.decode(packed)
        let scale = try #require(
            packed.parts["scales"]?.bytes.withUnsafeBytes { $0.loadUnaligned(as: Float.self) })
        let errors = weightedErrors(weights, decoded, moments, added: 0.05)
        for row in 0..<rows {
            for column in 0..<columns {
                for step in [-scale, scale] where abs(decoded[row, column] + step) <= 3.01 * scale {
                    var changed = decoded
                    changed[row, column] += step
                    let error = weightedErrors(weights, changed, moments, added: 0.05)[row]
                    #expect(error >= errors[row] * (1 - 1e-5), "row \(row), column \(column)")
                }
            }
        }
    }

    @Test func sameBytesForAnyThreads() throws {
        let weights = randomWeights(rows: 70, columns: 40, seed: 27)
        let moments = randomMoments(columns: 40, tokens: 90, seed: 28)
        for text in ["bcq3", "int4:g16", "nf4"] {
            let scheme = try #require(Scheme(text))
            let packed = try [1, 2, 5].map {
                try Quantizer.encode(
                    weights, as: scheme, fit: .calibrated,
                    context: CalibrationContext(moments: moments, threads: $0))
            }
            #expect(packed[0] == packed[1] && packed[0] == packed[2], "\(text)")
        }
    }

    /// `tr(E' G E H)` of all errors, both moments scaled to a mean diagonal of 1.
    private func errors(_ weights: Matrix, _ decoded: Matrix, inputs: Matrix, outputs: Matrix) -> Double {
        func scaled(_ m: Matrix) -> (Int, Int) -> Double {
            let trace = (0..<m.rows).reduce(0.0) { $0 + Double(m[$1, $1]) }
            return { Double(m[$0, $1]) * Double(m.rows) / trace }
        }
        let (h, g) = (scaled(inputs), scaled(outputs))
        let (rows, columns) = (weights.rows, weights.columns)
        func error(_ r: Int, _ c: Int) -> Double { Double(weights[r, c]) - Double(decoded[r, c]) }
        var sum = 0.0
        for c in 0..<columns {
            let behind = (0..<rows).map { r in (0..<columns).reduce(0.0) { $0 + error(r, $1) * h($1, c) } }
            for r in 0..<rows {
                sum += error(r, c) * (0..<rows).reduce(0.0) { $0 + g(r, $1) * behind[$1] }
            }
        }
        return sum
    }

    /// Feedback along rows lowers the error that both moments weigh; without moments of outputs, or with
    /// those of outputs that count alike, the codes are those of the one-sided fit.
    @Test(arguments: ["tcq1", "tcq2", "tcq3", "tcq2:h", "bcq2", "bcq3:g16", "int3", "nf4"])
    func curvatureOfBothSides(_ text: String) throws {
        let scheme = try #require(Scheme(text))
        let (rows, columns) = (96, 64)
        let weights = randomWeights(rows: rows, columns: columns, seed: 51)
        let inputs = randomMoments(columns: columns, tokens: 300, seed: 52)
        let outputs = randomMoments(columns: rows, tokens: 400, seed: 53)
        func encoded(_ outputs: Matrix?, threads: Int = 2) throws -> PackedMatrix {
            try Quantizer.encode(
                weights, as: scheme, fit: .curvature,
                context: CalibrationContext(moments: inputs, outputMoments: outputs, threads: threads))
        }
        let both = try encoded(outputs)
        for threads in [1, 3] {
            #expect(try encoded(outputs, threads: threads) == both, "\(threads) threads")
        }
        let oneSided = try Quantizer.encode(
            weights, as: scheme, fit: .calibrated, context: CalibrationContext(moments: inputs))
        #expect(try encoded(nil) == oneSided)
        let silent = Matrix(rows: rows, columns: rows)
        #expect(try encoded(silent) == oneSided)
        let before = errors(
            weights, try Quantizer.decode(oneSided), inputs: inputs, outputs: outputs)
        let after = errors(weights, try Quantizer.decode(both), inputs: inputs, outputs: outputs)
        #expect(after < 0.9 * before, "\(before) -> \(after)")
        #expect(throws: QuantizationError.self) { try encoded(randomMoments(columns: 5, tokens: 9, seed: 1)) }
        var broken = outputs
        broken[3, 4] = .nan
        #expect(throws: QuantizationError.self) { try encoded(broken) }
    }

    @Test func emptyMatrices() throws {
        for (rows, columns) in [(0, 8), (4, 0), (0, 0)] {
            let moments = Matrix(rows: columns, columns: columns)
            for text in ["bcq2", "int4", "nf4"] {
                let packed = try Quantizer.encode(
                    Matrix(rows: rows, columns: columns), as: try #require(Scheme(text)), fit: .calibrated,
                    context: CalibrationContext(moments: moments, crossMoments: moments))
                #expect(try Quantizer.decode(packed) == Matrix(rows: rows, columns: columns))
            }
        }
    }

    /// Inputs that never fire, fewer tokens than channels, nothing at all: still a fit.
    @Test func poorMomentsAreEnough() throws {
        let weights = randomWeights(rows: 9, columns: 30, seed: 29)
        var dead = randomMoments(columns: 30, tokens: 100, seed: 30)
        for index in 0..<30 {
            dead[4, index] = 0
            dead[index, 4] = 0
        }
        let few = randomMoments(columns: 30, tokens: 3, seed: 31)
        for moments in [dead, few, Matrix(rows: 30, columns: 30)] {
            let packed = try Quantizer.encode(
                weights, as: .bcq(2), fit: .calibrated, context: CalibrationContext(moments: moments))
            let decoded = try Quantizer.decode(packed)
            #expect(!decoded.storage.contains { !$0.isFinite })
        }
    }

    /// Inputs behind quantized layers: knowing both kinds of inputs, the outputs come nearer to full
    /// precision.
    @Test(arguments: [("bcq2", 0.85), ("bcq3", 0.7), ("int4", 0.7), ("nf4", 0.7)])
    func crossMomentsMakeUpForErrorsBelow(_ text: String, _ bound: Double) throws {
        let (tokens, columns, rows) = (400, 32, 24)
        var generator = SeededGenerator(seed: 34)
        var full = Matrix(rows: tokens, columns: columns)
        var seen = Matrix(rows: tokens, columns: columns)
        for token in 0..<tokens {
            for column in 0..<columns {
                let before = column > 0 ? full[token, column - 1] : 0
                full[token, column] = 0.6 * before + Float(generator.normal())
                let leak = column > 0 ? seen[token, column - 1] : 0
                seen[token, column] = 0.7 * full[token, column] + 0.2 * leak + Float(0.2 * generator.normal())
            }
        }
        let scheme = try #require(Scheme(text))
        let weights = randomWeights(rows: rows, columns: columns, seed: 35)
        func outputError(_ context: CalibrationContext) throws -> Double {
            let decoded = try Quantizer.decode(
                Quantizer.encode(weights, as: scheme, fit: .calibrated, context: context))
            var sum = 0.0
            for token in 0..<tokens {
                for row in 0..<rows {
                    var difference = 0.0
                    for column in 0..<columns {
                        difference += Double(weights[row, column]) * Double(full[token, column])
                        difference -= Double(decoded[row, column]) * Double(seen[token, column])
                    }
                    sum += difference * difference
                }
            }
            return sum
        }
        let moments = products(seen, seen)
        let without = try outputError(CalibrationContext(moments: moments))
        let with = try outputError(CalibrationContext(moments: moments, crossMoments: products(full, seen)))
        #expect(with < bound * without)
        // Where nothing happened below, nothing is to make up for.
        let plain = products(full, full)
        let same = try Quantizer.encode(
            weights, as: scheme, fit: .calibrated,
            context: CalibrationContext(moments: plain, crossMoments: plain))
        #expect(
            same
                == (try Quantizer.encode(
                    weights, as: scheme, fit: .calibrated, context: CalibrationContext(moments: plain))))
    }

    /// A'B over the tokens.
    private func products(_ left: Matrix, _ right: Matrix) -> Matrix {
        var sums = Matrix(rows: left.columns, columns: right.columns)
        for row in 0..<left.columns {
            for column in 0..<right.columns {
                let sum = (0..<left.rows).reduce(0.0) {
                    $0 + Double(left[$1, row]) * Double(right[$1, column])
                }
                sums[row, column] = Float(sum)
            }
        }
        return sums
    }

    @Test func refusesWrongMoments() throws {
        let weights = randomWeights(rows: 3, columns: 8, seed: 32)
        #expect(throws: QuantizationError.momentsMissing) {
            try Quantizer.encode(weights, as: .bcq(2), fit: .calibrated)
        }
        let message = "input moments: expected (8, 8), got (7, 7)"
        #expect(throws: QuantizationError.contextMismatch(message)) {
            try Quantizer.encode(
                weights, as: .bcq(2), fit: .calibrated,
                context: CalibrationContext(moments: randomMoments(columns: 7, tokens: 9, seed: 33)))
        }
        var negative = Matrix(rows: 8, columns: 8)
        for index in 0..<8 { negative[index, index] = -1 }
        #expect(throws: QuantizationError.self) {
            try Quantizer.encode(
                weights, as: .bcq(2), fit: .calibrated, context: CalibrationContext(moments: negative))
        }
    }
}
