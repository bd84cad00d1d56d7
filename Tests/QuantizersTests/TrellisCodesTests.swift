import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat
import Testing

@Suite struct TrellisCodesTests {
    private func normalWeights(rows: Int, columns: Int, seed: UInt64) -> Matrix {
        var generator = SeededGenerator(seed: seed)
        return Matrix(
            rows: rows, columns: columns, storage: (0..<rows * columns).map { _ in Float(generator.normal()) }
        )
    }

    /// Correlated inputs of different size.
    private func moments(columns: Int, seed: UInt64) -> Matrix {
        var generator = SeededGenerator(seed: seed)
        var moments = Matrix(rows: columns, columns: columns)
        for _ in 0..<4 * columns {
            var carried = 0.0
            let input = (0..<columns).map { column -> Float in
                carried = 0.7 * carried + generator.normal()
                return Float(carried * (0.3 + Double(column % 7)))
            }
            for row in 0..<columns {
                for column in 0..<columns { moments[row, column] += input[row] * input[column] }
            }
        }
        return moments
    }

    /// `trace (W - W^) H (W - W^)'`.
    private func weightedError(_ weights: Matrix, _ decoded: Matrix, _ moments: Matrix) -> Double {
        (0..<weights.rows).reduce(0) { sum, row in
            let error = zip(weights[row: row], decoded[row: row]).map { Double($0) - Double($1) }
            return sum
                + error.indices.reduce(0.0) { sum, i in
                    sum + error[i] * error.indices.reduce(0.0) { $0 + Double(moments[i, $1]) * error[$1] }
                }
        }
    }

    /// The squared error of normal weights a weight, within 2% of a prototype's, and below what the best
    /// scalar code of these bits leaves (Max 1960).
    @Test(arguments: [(2, 0.298, 0.3634), (4, 0.083, 0.1175), (6, 0.0227, 0.0345), (8, 0.0066, 0.0095)])
    func errorOfNormalWeights(_ pairBits: Int, _ prototype: Double, _ scalar: Double) throws {
        let weights = normalWeights(rows: 512, columns: 160, seed: 71)
        let decoded = try Quantizer.decode(
            Quantizer.encode(weights, as: .trellisCodes(pairBits: pairBits), fit: .greedy))
        let error = rowErrors(weights, decoded).reduce(0, +) / rowSquares(weights).reduce(0, +)
        #expect(error < 1.02 * prototype)
        #expect(error < 0.9 * scalar)
    }

    /// A half step is within 8% of the geometric mean of its neighbours: at least 12% below their mean, which
    /// is what a mixture of them reaches.
    @Test func halfStepsBeatMixtures() throws {
        let weights = normalWeights(rows: 512, columns: 160, seed: 71)
        let errors = try (2...8).map { pairBits in
            let packed = try Quantizer.encode(weights, as: .trellisCodes(pairBits: pairBits), fit: .greedy)
            return try rowErrors(weights, Quantizer.decode(packed)).reduce(0, +)
        }
        for half in [1, 3, 5] {
            let (above, below) = (errors[half - 1], errors[half + 1])
            #expect(errors[half] < 1.08 * (above * below).squareRoot())
            #expect(errors[half] < 0.88 * (above + below) / 2)
        }
    }

    @Test(arguments: ["tcq1", "tcq1.5", "tcq2", "tcq2.5", "tcq3", "tcq4", "tcq2:c", "tcq2:h", "tcq3.5:c:h"])
    func calibratedFit(_ text: String) throws {
        let scheme = try #require(Scheme(text))
        for (rows, columns) in [(37, 48), (260, 66), (16, 130)] {
            let weights = randomWeights(rows: rows, columns: columns, seed: 72)
            let moments = moments(columns: columns, seed: 73)
            let plain = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: .greedy))
            let packed = try Quantizer.encode(
                weights, as: scheme, fit: .calibrated,
                context: CalibrationContext(moments: moments, threads: 1))
            #expect(packed.sizeInBytes == scheme.sizeInBytes(rows: rows, columns: columns))
            let fitted = try Quantizer.decode(packed)
            #expect(
                weightedError(weights, fitted, moments) < 0.9 * weightedError(weights, plain, moments),
                "(\(rows), \(columns))")
            for threads in [2, 3] {
                let context = CalibrationContext(moments: moments, threads: threads)
                let other = try Quantizer.encode(weights, as: scheme, fit: .calibrated, context: context)
                #expect(other == packed, "\(threads) threads")
            }
        }
    }

    /// One row, one column, segments of which the last is short: the same bytes on any number of threads,
    /// also where there are more of them than segments or columns.
    @Test(
        arguments: [(1, 1), (1, 65), (7, 1), (255, 17), (257, 33), (515, 130)],
        [CodeFit.greedy, .calibrated])
    func bytesOnAnyThreads(_ shape: (rows: Int, columns: Int), _ fit: CodeFit) throws {
        let weights = randomWeights(rows: shape.rows, columns: shape.columns, seed: 79)
        func encoded(threads: Int) throws -> PackedMatrix {
            let context = CalibrationContext(
                moments: moments(columns: shape.columns, seed: 80), threads: threads)
            return try Quantizer.encode(
                weights, as: .trellisCodes(pairBits: 5), fit: fit, context: context)
        }
        let alone = try encoded(threads: 1)
        for threads in [2, 3, 5, 16] {
            #expect(try encoded(threads: threads) == alone, "\(threads) threads")
        }
    }

    /// Inputs that say nothing: the feedback has nothing to gain, and what it finds is not worse.
    @Test(arguments: 2...8)
    func neverWorseThanPlain(_ pairBits: Int) throws {
        let weights = randomWeights(rows: 300, columns: 20, seed: 74)
        let scheme = Scheme.trellisCodes(pairBits: pairBits)
        var identity = Matrix(rows: 20, columns: 20)
        for index in 0..<20 { identity[index, index] = 1 }
        var single = Matrix(rows: 20, columns: 20)
        single[3, 3] = 2
        let plain = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: .greedy))
        for moments in [identity, single, Matrix(rows: 20, columns: 20)] {
            let fitted = try Quantizer.decode(
                Quantizer.encode(
                    weights, as: scheme, fit: .calibrated, context: CalibrationContext(moments: moments)))
            #expect(
                weightedError(weights, fitted, moments)
                    <= weightedError(weights, plain, moments) * (1 + 1e-5) + 1e-12)
        }
    }

    /// Rows of several segments, whole and cut, are fitted each alone and come back in their places.
    @Test(arguments: ["tcq1", "tcq1.5", "tcq2", "tcq2.5", "tcq3", "tcq3.5", "tcq4"])
    func segments(_ text: String) throws {
        let scheme = try #require(Scheme(text))
        for rows in [255, 256, 257, 511, 515] {
            let weights = randomWeights(rows: rows, columns: 9, seed: 75)
            let packed = try Quantizer.encode(weights, as: scheme, fit: .greedy)
            let decoded = try Quantizer.decode(packed)
            let streams = try #require(packed.parts["codes"]).bytes
            var start = 0
            for first in stride(from: 0, to: rows, by: 256) {
                let end = min(first + 256, rows)
                let alone = try Quantizer.encode(weights.slice(rows: first..<end), as: scheme, fit: .greedy)
                #expect(try decoded.slice(rows: first..<end) == Quantizer.decode(alone))
                let bytes = try #require(alone.parts["codes"]).bytes
                #expect(Data(streams[start..<start + bytes.count]) == bytes)
                start += bytes.count
            }
            #expect(start == streams.count)
        }
    }

    /// Weights with outliers in single columns: the rotation spreads them, and less is lost.
    @Test func rotationHelpsWithOutliers() throws {
        var weights = normalWeights(rows: 256, columns: 64, seed: 76)
        for row in 0..<256 { weights[row, 5] *= 20 }
        func error(_ scheme: Scheme) throws -> Double {
            let decoded = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: .greedy))
            return rowErrors(weights, decoded).reduce(0, +) / rowSquares(weights).reduce(0, +)
        }
        let (with, without) = try (
            error(.trellisCodes(bits: 3, rotation: true)), error(.trellisCodes(bits: 3))
        )
        #expect(with < 0.5 * without)
    }

    @Test func rotationOfOddColumns() throws {
        let scheme = Scheme.trellisCodes(bits: 2, rotation: true)
        let expected = "an even number of columns for a rotation"
        #expect(
            throws: QuantizationError.wrongShape(scheme, rows: 4, columns: 7, expected: expected)
        ) { try Quantizer.encode(randomWeights(rows: 4, columns: 7, seed: 77), as: scheme, fit: .greedy) }
        let plain = try Quantizer.encode(
            randomWeights(rows: 4, columns: 7, seed: 77), as: .trellisCodes(bits: 2), fit: .greedy)
        let packed = PackedMatrix(scheme: scheme, rows: 4, columns: 7, parts: plain.parts)
        #expect(
            throws: PackedMatrixError.wrongShape(scheme: scheme, rows: 4, columns: 7, expected: expected)
        ) { try Quantizer.decode(packed) }
    }

    @Test func cutStreams() throws {
        let scheme = Scheme.trellisCodes(bits: 3)
        var parts = try Quantizer.encode(
            randomWeights(rows: 10, columns: 5, seed: 78), as: scheme, fit: .greedy
        ).parts
        parts["codes"] = PackedTensor(type: .uint8, shape: [3, 5], bytes: Data(count: 15))
        #expect(
            throws: PackedMatrixError.wrongPart(
                scheme: scheme, name: "codes", expected: "U8 [4, 5]", got: "U8 [3, 5]")
        ) { try Quantizer.decode(PackedMatrix(scheme: scheme, rows: 10, columns: 5, parts: parts)) }
    }
}
