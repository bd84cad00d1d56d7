import BitplanMetrics
import Testing

@Suite("Estimates, quantiles and the bootstrap")
struct EstimateTests {
    struct Statistics: Decodable {
        struct Quantiles: Decodable {
            var probability: Double
            var normal: Double
            var degreesOfFreedom: Double
            var studentT: Double
        }
        struct Mean: Decodable {
            var values: [Double]
            var mean: Double
            var standardError: Double
            /// Ends of the 95% interval.
            var studentT: [Double]
            /// Ends of the 99% interval.
            var normal: [Double]
        }
        struct Ratio: Decodable {
            var nats: [Double]
            var tokens: [Int]
            var value: Double
            var standardError: Double
        }
        struct Resampled: Decodable {
            var seed: UInt64
            var replicates: Int
            var confidence: Double
            var baseline: [[Int]]
            var candidate: [[Int]]
            var firstDraw: [Int]
            var baselineScore: Double
            var mean: Double
            var standardError: Double
            var interval: [Double]
            var difference: Double
            var differenceInterval: [Double]
            var pValue: Double
        }
        var quantiles: [Quantiles]
        var means: [Mean]
        var ratios: [Ratio]
        var bootstrap: Resampled
    }

    @Test func quantilesAgreeWithScipy() throws {
        for item in try golden("statistics", as: Statistics.self).quantiles {
            #expect(agrees(Quantile.normal(item.probability), item.normal, within: 1e-12))
            let t = Quantile.studentT(item.probability, degreesOfFreedom: item.degreesOfFreedom)
            #expect(
                agrees(t, item.studentT, within: 1e-11),
                "\(item.degreesOfFreedom) degrees of freedom at \(item.probability): \(t), \(item.studentT)")
        }
        #expect(Quantile.normal(1) == .infinity)
        #expect(Quantile.studentT(0, degreesOfFreedom: 3) == -.infinity)
    }

    @Test func meansAgreeWithScipy() throws {
        for item in try golden("statistics", as: Statistics.self).means {
            let estimate = try Estimate(meanOf: item.values)
            #expect(agrees(estimate.value, item.mean, within: 1e-13))
            #expect(agrees(estimate.standardError, item.standardError, within: 1e-13))
            let studentT = try estimate.interval()
            #expect(agrees(studentT.lower, item.studentT[0], within: 1e-12))
            #expect(agrees(studentT.upper, item.studentT[1], within: 1e-12))
            let normal = try estimate.interval(confidence: 0.99, .normal)
            #expect(agrees(normal.lower, item.normal[0], within: 1e-12))
            #expect(agrees(normal.upper, item.normal[1], within: 1e-12))
        }
    }

    @Test func ratiosAgreeWithCochran() throws {
        for item in try golden("statistics", as: Statistics.self).ratios {
            let estimate = try Estimate(perTokenOf: zip(item.nats, item.tokens).map(TokenLoss.init))
            #expect(agrees(estimate.value, item.value, within: 1e-13))
            #expect(agrees(estimate.standardError, item.standardError, within: 1e-13))
        }
    }

    /// Sentences whose loss per token varies around `mean`.
    private func sentences(_ count: Int, mean: Double, _ random: inout TestRandom) -> [TokenLoss] {
        (0..<count).map { _ in
            let tokens = Int.random(in: 1...40, using: &random)
            return TokenLoss(nats: Double(tokens) * (mean + random.normal()), tokens: tokens)
        }
    }

    @Test func intervalsCoverTheTruthAsOftenAsTheySay() throws {
        var random = TestRandom(seed: 17)
        var covered = 0
        for _ in 0..<2000 {
            let estimate = try Estimate(perTokenOf: sentences(60, mean: 0.3, &random))
            if try estimate.interval().contains(0.3) { covered += 1 }
        }
        // 95%, with room for the sampling error (0.5%) and the bias of ratios of few sentences.
        #expect((1840...1940).contains(covered), "\(covered) of 2000")
    }

    @Test(arguments: 1...5)
    func pairedDifferences(seed: Int) throws {
        var random = TestRandom(seed: seed)
        let baseline = sentences(200, mean: 2, &random)
        let candidate = baseline.map {
            TokenLoss(nats: $0.nats + Double($0.tokens) * (0.01 + 0.001 * random.normal()), tokens: $0.tokens)
        }
        let difference = try Estimate.pairedDifference(baseline: baseline, candidate: candidate)
        #expect(abs(difference.value - 0.01) < 0.001)
        let unpaired = try Estimate(perTokenOf: candidate)
        #expect(difference.standardError < unpaired.standardError / 100)
        let backwards = try Estimate.pairedDifference(baseline: candidate, candidate: baseline)
        #expect(backwards.value == -difference.value)

        let none = try Estimate.pairedDifference(baseline: baseline, candidate: baseline)
        #expect(none.value == 0 && none.standardError == 0)
        #expect(try none.interval() == ConfidenceInterval(lower: 0, upper: 0, confidence: 0.95))

        // Two independent ways to the same error: the delta method and resampling.
        let resampled = try Bootstrap(replicates: 2000, seed: UInt64(seed)).estimate(baseline) {
            $0.nats / Double($0.tokens)
        }
        let delta = try Estimate(perTokenOf: baseline)
        #expect(agrees(resampled.value, delta.value, within: 1e-12))
        #expect(abs(resampled.standardError / delta.standardError - 1) < 0.15)
        #expect(resampled.interval.contains(delta.value))
        // Student's t is the wider of the two.
        let (studentT, normal) = (try delta.interval(), try delta.interval(.normal))
        #expect(studentT.halfWidth > normal.halfWidth)
    }

    @Test func bootstrapAgreesWithSacreBLEUOnTheSameDraws() throws {
        let expected = try golden("statistics", as: Statistics.self).bootstrap
        let bootstrap = Bootstrap(
            replicates: expected.replicates, seed: expected.seed, confidence: expected.confidence)
        let baseline = expected.baseline.map(BLEU.Statistics.init(sacreBLEU:))
        let candidate = expected.candidate.map(BLEU.Statistics.init(sacreBLEU:))

        var draws: [[Int]] = []
        _ = try bootstrap.estimate(sampleCount: baseline.count) { indices in
            draws.append(indices)
            return 0
        }
        #expect(draws.first == expected.firstDraw)

        let estimate = try bootstrap.estimate(baseline, score: BLEU().score)
        #expect(agrees(estimate.value, expected.baselineScore, within: 1e-12))
        #expect(agrees(estimate.mean, expected.mean, within: 1e-12))
        #expect(agrees(estimate.standardError, expected.standardError, within: 1e-12))
        #expect(agrees(estimate.interval.lower, expected.interval[0], within: 1e-12))
        #expect(agrees(estimate.interval.upper, expected.interval[1], within: 1e-12))
        #expect(estimate.interval.contains(estimate.value))

        let paired = try bootstrap.pairedDifference(
            baseline: baseline, candidate: candidate, score: BLEU().score)
        #expect(agrees(paired.difference.value, expected.difference, within: 1e-12))
        #expect(paired.difference.value == paired.candidate - paired.baseline)
        #expect(agrees(paired.difference.interval.lower, expected.differenceInterval[0], within: 1e-12))
        #expect(agrees(paired.difference.interval.upper, expected.differenceInterval[1], within: 1e-12))
        #expect(agrees(paired.pValue, expected.pValue, within: 1e-12))
    }

    @Test func bootstrapFollowsItsSeed() throws {
        var random = TestRandom(seed: 4)
        let losses = sentences(50, mean: 1, &random)
        func run(_ seed: UInt64) throws -> BootstrapEstimate {
            try Bootstrap(replicates: 200, seed: seed).estimate(losses) { $0.perplexity ?? .nan }
        }
        #expect(try run(1) == run(1))
        #expect(try run(1).mean != run(2).mean)

        let same = try Bootstrap().pairedDifference(baseline: losses, candidate: losses) { $0.nats }
        #expect(same.difference.interval == ConfidenceInterval(lower: 0, upper: 0, confidence: 0.95))
        #expect(same.difference.standardError == 0)
        #expect(same.pValue == 1)
    }

    @Test func bootstrapOfRankCorrelation() throws {
        var random = TestRandom(seed: 5)
        let x = (0..<80).map { _ in random.normal() }
        let y = x.map { $0 + random.normal() }
        let estimate = try Bootstrap(replicates: 300).estimate(sampleCount: x.count) { indices in
            let rho = try? Correlation.spearman(indices.map { x[$0] }, indices.map { y[$0] })
            return (rho ?? nil) ?? .nan
        }
        #expect(estimate.value == (try Correlation.spearman(x, y)))
        #expect(estimate.replicates == 300)
        #expect(estimate.interval.contains(estimate.value))
        #expect(estimate.interval.halfWidth > 0)

        let paired = try Bootstrap(replicates: 300).pairedDifference(sampleCount: x.count) { indices in
            let labels = indices.map { x[$0] }
            let noisy = (try? Correlation.spearman(labels, indices.map { y[$0] })) ?? nil
            let exact = (try? Correlation.spearman(labels, indices.map { 2 * x[$0] })) ?? nil
            return (noisy ?? .nan, exact ?? .nan)
        }
        #expect(paired.candidate == 1 && paired.baseline == estimate.value)
        #expect(agrees(paired.difference.mean, 1 - estimate.mean, within: 1e-12), "the same resamples")
        #expect(paired.pValue < 0.01)

        // Two samples: half of the resamples are constant, hence undefined, and left out.
        let few = try Bootstrap(replicates: 300).estimate(sampleCount: 2) { indices in
            ((try? Correlation.pearson(indices.map { x[$0] }, indices.map { y[$0] })) ?? nil) ?? .nan
        }
        #expect((100...200).contains(few.replicates))
    }

    @Test func badInput() throws {
        let loss = TokenLoss(nats: 1, tokens: 2)
        #expect(throws: MetricError.self) { try Estimate(meanOf: [1]) }
        #expect(throws: MetricError.self) { try Estimate(perTokenOf: [loss]) }
        #expect(throws: MetricError.nothingToDivideBy(metric: "loss per token", unit: "tokens")) {
            try Estimate(perTokenOf: [.zero, .zero])
        }
        #expect(throws: MetricError.unpairedTokens(index: 1, baseline: 2, candidate: 0)) {
            try Estimate.pairedDifference(baseline: [loss, loss], candidate: [loss, .zero])
        }
        let estimate = try Estimate(meanOf: [1, 2])
        #expect(throws: MetricError.self) { try estimate.interval(confidence: 1) }
        #expect(throws: MetricError.self) { try estimate.interval(confidence: .nan) }
        #expect(throws: MetricError.settingOutOfRange(name: "replicates", value: "0", range: "at least 2")) {
            try Bootstrap(replicates: 0).estimate([loss]) { $0.nats }
        }
        #expect(throws: MetricError.tooFewSamples(metric: "a bootstrap", count: 0, minimum: 1)) {
            try Bootstrap().estimate([TokenLoss]()) { $0.nats }
        }
        #expect(throws: MetricError.self) { try Bootstrap().estimate([loss]) { _ in .nan } }
        #expect(throws: MetricError.self) {
            try Bootstrap().pairedDifference(baseline: [loss], candidate: [loss, loss]) { $0.nats }
        }
    }
}
