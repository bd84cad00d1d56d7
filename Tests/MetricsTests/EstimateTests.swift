import BitplanMetrics
import Testing

@Suite("Estimates and quantiles")
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
        var quantiles: [Quantiles]
        var means: [Mean]
        var ratios: [Ratio]
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
        let delta = try Estimate(perTokenOf: baseline)
        let resampled = (0..<2000).map { _ in
            let sum = (0..<baseline.count).reduce(TokenLoss.zero) { sum, _ in
                sum + baseline[Int.random(in: baseline.indices, using: &random)]
            }
            return sum.nats / Double(sum.tokens)
        }
        let mean = resampled.reduce(0, +) / 2000
        let variance = resampled.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 1999
        #expect(abs(variance.squareRoot() / delta.standardError - 1) < 0.15)
        #expect(abs(mean - delta.value) < 0.2 * delta.standardError)
        // Student's t is the wider of the two.
        let (studentT, normal) = (try delta.interval(), try delta.interval(.normal))
        #expect(studentT.upper - studentT.lower > normal.upper - normal.lower)
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
    }
}
