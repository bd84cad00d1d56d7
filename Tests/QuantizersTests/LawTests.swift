import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

private let shapes = EveryScheme.shapes

/// Random weights: normal numbers, rows of different size, a few outliers.
func randomWeights(rows: Int, columns: Int, seed: UInt64) -> Matrix {
    var generator = SeededGenerator(seed: seed)
    var weights = Matrix(rows: rows, columns: columns)
    for row in 0..<rows {
        let scale = 0.02 + 0.1 * generator.uniform()
        for column in 0..<columns {
            let outlier = generator.uniform() < 0.01 ? 4.0 : 1.0
            weights[row, column] = Float(generator.normal() * scale * outlier)
        }
    }
    return weights
}

private func magnitude(_ weights: Matrix) -> Float { weights.storage.reduce(0) { max($0, abs($1)) } }

@Suite struct LawTests {
    @Test(arguments: EveryScheme.list)
    func bytesAreAFunctionOfShape(_ scheme: Scheme) throws {
        for (rows, columns) in shapes + [(0, 8)] {
            let parts = scheme.parts(rows: rows, columns: columns)
            let size = scheme.sizeInBytes(rows: rows, columns: columns)
            #expect(parts.reduce(0) { $0 + $1.sizeInBytes } == size, "(\(rows), \(columns))")
            let packed = try Quantizer.encode(
                randomWeights(rows: rows, columns: columns, seed: 1), as: scheme, fit: .greedy)
            #expect(packed.sizeInBytes == size, "(\(rows), \(columns))")
            #expect(try bytesOnDisk(packed, parts) == size, "(\(rows), \(columns))")
            #expect(Set(packed.parts.keys) == Set(parts.map(\.name)))
            for part in parts {
                #expect(packed.parts[part.name]?.type == part.type)
                #expect(packed.parts[part.name]?.shape == part.shape)
            }
            let decoded = try Quantizer.decode(packed)
            #expect(decoded.rows == rows && decoded.columns == columns)
            #expect(!decoded.storage.contains { !$0.isFinite })
        }
    }

    /// What a file of the parts has behind its header.
    private func bytesOnDisk(_ packed: PackedMatrix, _ parts: [StoredPart]) throws -> Int {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors")
        defer { try? FileManager.default.removeItem(at: file) }
        try SafetensorsWriter.write(
            parts.map { .init(name: $0.name, type: $0.type, shape: $0.shape) }, to: file
        ) { try packed.part($0.name).bytes }
        let data = try Data(contentsOf: file)
        return data.count - 8
            - data.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
    }

    @Test(arguments: EveryScheme.list)
    func sameInputSameBytesForAnyThreads(_ scheme: Scheme) throws {
        let weights = randomWeights(rows: 67, columns: 96, seed: 2)
        for fit in [CodeFit.greedy, .alternating] {
            let one = try Quantizer.encode(
                weights, as: scheme, fit: fit, context: CalibrationContext(threads: 1))
            for threads in [1, 2, 3] {
                let other = try Quantizer.encode(
                    weights, as: scheme, fit: fit, context: CalibrationContext(threads: threads))
                #expect(other == one, "\(fit), \(threads) threads")
            }
        }
    }

    @Test(arguments: EveryScheme.list)
    func decodedWeightsAreAFixedPoint(_ scheme: Scheme) throws {
        for (rows, columns) in shapes + [(9, 512)] {
            if let bits = longestBinaryCode(scheme), columns < 32 << bits, columns > 1 { continue }
            // Three numbers of a row alone in its cluster can be levels under another scale, too.
            if case .trellisClusters = scheme, columns < 4 { continue }
            let weights = randomWeights(rows: rows, columns: columns, seed: 3)
            for fit in [CodeFit.greedy, .refined, .alternating] {
                let once = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: fit))
                let twice = try Quantizer.decode(Quantizer.encode(once, as: scheme, fit: fit))
                #expect(
                    largestDifference(once, twice) <= tolerance(scheme) * magnitude(weights),
                    "(\(rows), \(columns)), \(fit)")
            }
        }
    }

    /// The bits of a scheme's binary codes. Their fixed point needs rows in which nearly all sums of alphas
    /// occur.
    private func longestBinaryCode(_ scheme: Scheme) -> Int? {
        switch scheme {
        case .binaryCodes(let codes): codes.group == nil ? codes.bits : 8
        case .clusteredCodes(let codes): codes.clusters
        default: nil
        }
    }

    /// Rounding of scales; with double quantization, half a step of the 8-bit scales.
    private func tolerance(_ scheme: Scheme) -> Float {
        if case .normalFloat(let codes) = scheme, codes.doubleQuantization { return 1 / 200 }
        return 2e-6
    }

    @Test(arguments: EveryScheme.list, [Float.nan, .infinity, -.infinity])
    func refusesWhatIsNotFinite(_ scheme: Scheme, _ value: Float) {
        for (row, column) in [(0, 0), (2, 19), (4, 36)] {
            var weights = randomWeights(rows: 5, columns: 37, seed: 4)
            weights[row, column] = value
            do {
                _ = try Quantizer.encode(weights, as: scheme, fit: .alternating)
                Issue.record("\(value) at (\(row), \(column)) was encoded")
            } catch QuantizationError.nonFinite(let atRow, let atColumn, _) {
                #expect(atRow == row && atColumn == column)
            } catch {
                Issue.record("\(error)")
            }
        }
    }

    @Test(arguments: EveryScheme.list)
    func zeroRowsAndConstantRows(_ scheme: Scheme) throws {
        var weights = Matrix(rows: 3, columns: 40)
        for column in 0..<40 {
            weights[1, column] = -0.3
            weights[2, column] = 0.7
        }
        for fit in [CodeFit.greedy, .refined, .alternating] {
            let zeros = try Quantizer.decode(
                Quantizer.encode(Matrix(rows: 3, columns: 40), as: scheme, fit: fit))
            if scheme != .sign(scaled: false) {
                #expect(!zeros.storage.contains { $0 != 0 }, "\(fit)")
            }
            let decoded = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: fit))
            #expect(!decoded.storage.contains { !$0.isFinite })
            if keepsConstantRows(scheme) {
                #expect(largestDifference(weights, decoded) < 4e-4, "\(fit)")
            }
        }
    }

    /// Whether a row of equal weights has a scale of its own.
    private func keepsConstantRows(_ scheme: Scheme) -> Bool {
        switch scheme {
        case .fullPrecision, .binaryCodes, .clusteredCodes, .w8a8: true
        case .productCodes(let codes): codes.storage == .fp16
        case .integers(let codes): codes.granularity != .tensor
        default: false
        }
    }

    @Test(arguments: [CodeFit.greedy, .refined, .alternating])
    func errorDoesNotGrowWithBits(_ fit: CodeFit) throws {
        let families: [[Scheme]] = [
            (1...8).map { .bcq($0) },
            (1...6).map { .binaryCodes(bits: $0, group: 64, alphas: .fp16) },
            (2...8).map { .integer(bits: $0, symmetric: true, granularity: .row, scales: .fp32) },
            (2...8).map { .integer(bits: $0, symmetric: false, granularity: .group(32), scales: .fp16) },
            [2, 8, 32, 128, 256].map { .productCodes(block: 4, centroids: $0, storage: .fp16) },
            (2...8).map { .trellisCodes(pairBits: $0) },
            [Scheme("index8"), .full(.fp16), .fp32].compactMap { $0 },
        ]
        for (rows, columns) in [(63, 65), (16, 512)] {
            let weights = randomWeights(rows: rows, columns: columns, seed: 5)
            for family in families {
                var last = Double.infinity
                for scheme in family {
                    let decoded = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: fit))
                    let error = rowErrors(weights, decoded).reduce(0, +)
                    #expect(error <= last, "\(scheme) at (\(rows), \(columns))")
                    last = error
                }
            }
        }
    }

    @Test(arguments: [
        "bcq1", "bcq2", "bcq3", "bcq4", "bcq5", "bcq8", "bcq3:g16", "bcq2:fp16", "bcq4:g64:fp16",
    ])
    func alternatingBeatsRefinedBeatsGreedyOnEveryRow(_ text: String) throws {
        let scheme = try #require(Scheme(text))
        for (rows, columns) in shapes {
            for seed in [6, 7] as [UInt64] {
                let weights = randomWeights(rows: rows, columns: columns, seed: seed)
                let squares = rowSquares(weights)
                var last = squares
                for fit in [CodeFit.greedy, .refined, .alternating] {
                    let decoded = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: fit))
                    let errors = rowErrors(weights, decoded)
                    for row in 0..<rows {
                        #expect(
                            errors[row] <= last[row] * (1 + 1e-6) + 1e-10 * squares[row],
                            "\(fit), (\(rows), \(columns)), row \(row), seed \(seed)")
                    }
                    last = errors
                }
            }
        }
    }

    @Test(arguments: [
        "fp16", "bcq3", "bcq2:g128:fp16", "emb4:r2", "int3", "int4:g64:asym", "nf4:dq", "pq:b8:k16", "tcq1",
        "tcq3:h", "index8", "sign:mean",
        "bitlinear:4", "w8a8",
    ])
    func largeMatrices(_ text: String) throws {
        let scheme = try #require(Scheme(text))
        let weights = randomWeights(rows: 512, columns: 2048, seed: 9)
        let one = try Quantizer.encode(
            weights, as: scheme, fit: .greedy, context: CalibrationContext(threads: 1))
        let two = try Quantizer.encode(
            weights, as: scheme, fit: .greedy, context: CalibrationContext(threads: 2))
        #expect(one == two)
        #expect(one.sizeInBytes == scheme.sizeInBytes(rows: 512, columns: 2048))
        let decoded = try Quantizer.decode(one)
        #expect(rowErrors(weights, decoded).reduce(0, +) < 0.75 * rowSquares(weights).reduce(0, +))
    }

    /// What lies on a scheme's grid comes back bit for bit: codes survive packing and unpacking.
    @Test func gridPointsComeBackExactly() throws {
        var generator = SeededGenerator(seed: 8)
        for columns in [1, 7, 8, 9, 65, 200] {
            for bits in 2...8 {
                let largest = (1 << (bits - 1)) - 1
                var weights = Matrix(rows: 5, columns: columns)
                for row in 0..<5 {
                    for column in 0..<columns {
                        weights[row, column] = Float(generator.index(below: 2 * largest + 1) - largest) / 4
                    }
                    weights[row, columns - 1] = Float(largest) / 4
                }
                let scheme = Scheme.integer(bits: bits, symmetric: true, granularity: .row, scales: .fp32)
                let decoded = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: .greedy))
                #expect(decoded == weights)
            }
            for bits in 1...8 {
                var weights = Matrix(rows: 5, columns: columns)
                for row in 0..<5 {
                    for column in 0..<columns {
                        // Greedy finds alphas that halve from plane to plane where signs are balanced; here
                        // they need not be, so the fit that looks for them is asked.
                        let code = generator.index(below: 1 << bits)
                        weights[row, column] = (0..<bits).reduce(0) {
                            $0 + ((code >> $1) & 1 == 1 ? 1 : -1) * Float(1 << (bits - 1 - $1))
                        }
                    }
                }
                guard columns >= 8 << bits else { continue }
                let decoded = try Quantizer.decode(
                    Quantizer.encode(weights, as: .bcq(bits), fit: .alternating))
                #expect(largestDifference(decoded, weights) <= 1e-6 * magnitude(weights))
            }
        }
    }
}
