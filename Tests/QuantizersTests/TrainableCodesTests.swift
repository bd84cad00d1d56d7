import BitplanQuantizers
import BitplanTensors
import PlanFormat
import TestSupport
import Testing

/// What holds for every scheme under training: the packed matrix is what training sees, gradients are those
/// of the decoded weights, and codes follow latent weights.
@Suite struct TrainableCodesTests {
    private static let shapes = EveryScheme.shapes + [(300, 40)]

    private func packed(_ scheme: Scheme, _ rows: Int, _ columns: Int, seed: UInt64) throws -> PackedMatrix {
        try Quantizer.encode(
            randomWeights(rows: rows, columns: columns, seed: seed), as: scheme, fit: .greedy)
    }

    /// Before training the state is the packed matrix, number by number; after numbers have moved, what is
    /// packed decodes to what training saw, bit by bit.
    @Test(arguments: EveryScheme.list)
    func packedIsWhatTrainingSees(_ scheme: Scheme) throws {
        for (rows, columns) in Self.shapes {
            let start = try packed(scheme, rows, columns, seed: 31)
            var codes = try Quantizer.trainable(start)
            let weights = try Quantizer.decode(start)
            if scheme.description.hasSuffix("dq") {
                // Scales of scales are made anew from scales that were rounded by them.
                let size = weights.storage.reduce(0) { max($0, abs($1)) }
                let worst = zip(codes.decoded().storage, weights.storage).reduce(0) {
                    max($0, abs($1.0 - $1.1))
                }
                #expect(worst <= 0.02 * size, "(\(rows), \(columns))")
            } else {
                #expect(codes.decoded() == weights, "(\(rows), \(columns))")
            }
            var generator = SeededGenerator(seed: 32)
            codes.numbers = codes.numbers.map { $0 * Float(1 + 0.2 * generator.normal()) }
            let after = try codes.packed()
            #expect(try Quantizer.decode(after) == codes.decoded(), "(\(rows), \(columns))")
            #expect(after.sizeInBytes == scheme.sizeInBytes(rows: rows, columns: columns))
        }
    }

    /// With codes fixed weights are linear in the numbers, but for their rounding: a small step changes the
    /// loss sum(G W) by the gradient times the step.
    @Test(
        arguments: EveryScheme.list.filter { scheme in
            // Rounding to halves or to other codes hides small steps; these schemes store numbers as they
            // are.
            !scheme.isFullPrecision && !scheme.description.contains("fp16")
                && !scheme.description.contains("dq")
                && !scheme.description.hasPrefix("pq") && !scheme.description.hasPrefix("tcq")
        })
    func gradientsAreThoseOfTheDecodedWeights(_ scheme: Scheme) throws {
        for (rows, columns) in [(5, 3), (17, 200), (64, 64)] {
            let codes = try Quantizer.trainable(try packed(scheme, rows, columns, seed: 33))
            let upstream = randomWeights(rows: rows, columns: columns, seed: 34)
            let gradient = codes.numbersGradient(upstream)
            try #require(gradient.count == codes.numbers.count)
            for index in stride(from: 0, to: codes.numbers.count, by: max(1, codes.numbers.count / 23)) {
                let slope = try difference(codes, index, upstream)
                #expect(
                    abs(slope - Double(gradient[index])) < 2e-3 * max(1, abs(slope)),
                    "(\(rows), \(columns)), number \(index): \(slope), got \(gradient[index])")
            }
        }
    }

    /// The slope of sum(G W) along one number, by a central difference.
    private func difference(
        _ codes: any TrainableCodes, _ index: Int, _ upstream: Matrix
    ) throws -> Double {
        // No further than half way to 0, beyond which scales do not go.
        let size = abs(codes.numbers[index])
        let step = size > 0 ? size / 4 : 0.01
        func loss(_ change: Float) -> Double {
            var moved = codes
            moved.numbers[index] += change
            return zip(moved.decoded().storage, upstream.storage).reduce(0) {
                $0 + Double($1.0) * Double($1.1)
            }
        }
        return (loss(step) - loss(-step)) / (2 * Double(step))
    }

    /// Trellis codes and product codes store halves: a large step shows the slope all the same.
    @Test(arguments: [
        "tcq1", "tcq2", "tcq2.5", "tcq3", "tcq4", "tcq2:c", "tcq3:h", "tcq2:c:h", "pq:b4:k256", "pq:b3:k5",
        "bcq2:fp16", "int4:fp16",
    ])
    func gradientsPassHalves(_ name: String) throws {
        let scheme = try #require(Scheme(name))
        for (rows, columns) in [(5, 4), (17, 200), (300, 40)] {
            let codes = try Quantizer.trainable(try packed(scheme, rows, columns, seed: 35))
            let upstream = randomWeights(rows: rows, columns: columns, seed: 36)
            let gradient = codes.numbersGradient(upstream)
            let scale = gradient.reduce(0) { max($0, abs($1)) }
            for index in stride(from: 0, to: codes.numbers.count, by: max(1, codes.numbers.count / 23)) {
                let slope = try difference(codes, index, upstream)
                #expect(
                    abs(slope - Double(gradient[index])) < 5e-3 * Double(scale),
                    "(\(rows), \(columns)), number \(index): \(slope), got \(gradient[index])")
            }
        }
    }

    /// Weights that are decoded codes keep them.
    @Test(arguments: EveryScheme.list)
    func decodedWeightsKeepTheirCodes(_ scheme: Scheme) throws {
        for (rows, columns) in [(5, 3), (17, 200), (64, 64), (300, 40)] {
            var codes = try Quantizer.trainable(try packed(scheme, rows, columns, seed: 37))
            let before = codes.decoded()
            codes.recode(before, threads: 2)
            let after = codes.decoded()
            let size = before.storage.reduce(0) { max($0, abs($1)) }
            let worst = zip(before.storage, after.storage).reduce(0) { max($0, abs($1.0 - $1.1)) }
            #expect(worst <= 1e-5 * size, "(\(rows), \(columns))")
        }
    }

    /// Codes of other weights, numbers as they are, are nearer to them than the codes before; the same on
    /// any number of threads.
    @Test(arguments: EveryScheme.list.filter { $0.codeBits > 1 })
    func codesFollowLatentWeights(_ scheme: Scheme) throws {
        let start = try packed(scheme, 48, 96, seed: 38)
        let latent = randomWeights(rows: 48, columns: 96, seed: 39)
        func error(_ codes: any TrainableCodes) -> Double {
            zip(codes.decoded().storage, latent.storage).reduce(0) {
                $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
            }
        }
        var one = try Quantizer.trainable(start)
        let before = error(one)
        var two = one
        one.recode(latent, threads: 1)
        two.recode(latent, threads: 2)
        #expect(error(one) < before)
        #expect(try one.packed() == two.packed())
    }

    /// Integers by the source's formulas on numbers worked out by hand.
    @Test func learnedStepSizes() throws {
        // s = 0.5, codes -1, 1 (cut from 2) of a symmetric grid of 2 bits.
        let latent = Matrix(rows: 1, columns: 2, storage: [-0.6, 1.1])
        let scheme = try #require(Scheme("int2"))
        var codes = try Quantizer.trainable(
            try Quantizer.encode(
                Matrix(rows: 1, columns: 2, storage: [-0.5, 0.5]), as: scheme, fit: .greedy))
        codes.recode(latent, threads: 1)
        #expect(codes.decoded().storage == [-0.5, 0.5])
        var gradient = Matrix(rows: 1, columns: 2, storage: [2, 3])
        // 2 (-1 + 1.2) + 3 * 1.
        #expect(abs(codes.numbersGradient(gradient, latent: latent)[0] - 3.4) < 1e-5)
        codes.passThrough(&gradient, latent: latent)
        #expect(gradient.storage == [2, 0])
    }
}
