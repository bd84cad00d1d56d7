import BitplanMetrics
import PlanFormat
import Testing

/// Intervals by resampling: as sacreBLEU and numpy compute them on the same draws, and as often right as they
/// say.
@Suite struct BootstrapTests {
    struct Resampled: Decodable {
        var seed: UInt64
        var replicates: Int
        var confidence: Double
        var baseline: [[Int]]
        var candidate: [[Int]]
        var firstDraw: [Int]
        var baselineScore: Double
        var interval: [Double]
        var difference: Double
        var differenceInterval: [Double]
    }
    struct Statistics: Decodable { var bootstrap: Resampled }

    @Test func agreesWithSacreBLEUOnTheSameDraws() throws {
        let expected = try golden("statistics", as: Statistics.self).bootstrap
        let bootstrap = Bootstrap(
            replicates: expected.replicates, seed: expected.seed, confidence: expected.confidence)
        let baseline = MetricItems.bleu(expected.baseline.map(BLEU.Statistics.init(sacreBLEU:)))
        let candidate = MetricItems.bleu(expected.candidate.map(BLEU.Statistics.init(sacreBLEU:)))
        var draws: [[Int]] = []
        bootstrap.forEachReplicate(itemCount: baseline.count) { draws.append($0) }
        #expect(draws.first == expected.firstDraw && draws.count == expected.replicates)
        #expect(agrees(baseline.value, expected.baselineScore, within: 1e-12))
        #expect(agrees(candidate.value - baseline.value, expected.difference, within: 1e-12))
        let interval = try #require(try bootstrap.interval(baseline))
        #expect(agrees(interval.lower, expected.interval[0], within: 1e-9))
        #expect(agrees(interval.upper, expected.interval[1], within: 1e-9))
        let paired = try #require(try bootstrap.pairedInterval(baseline: baseline, candidate: candidate))
        #expect(agrees(paired.lower, expected.differenceInterval[0], within: 1e-9))
        #expect(agrees(paired.upper, expected.differenceInterval[1], within: 1e-9))
    }

    /// Predictions of which a share is right, and of a second system that differs on some items by chance.
    private func predictions(
        _ count: Int, _ accuracy: Double, worseBy: Double, _ random: inout TestRandom
    ) -> (baseline: MetricItems, candidate: MetricItems) {
        func draw(_ share: Double) -> [Bool] {
            (0..<count).map { _ in Double.random(in: 0..<1, using: &random) < share }
        }
        return (.accuracy(isRight: draw(accuracy)), .accuracy(isRight: draw(accuracy - worseBy)))
    }

    /// The interval of an accuracy covers the truth, with few items too: where plain percentiles are too
    /// narrow.
    @Test(arguments: [12, 40, 200])
    func coversTheTruthAsOftenAsItSays(count: Int) throws {
        var random = TestRandom(seed: count)
        var covered = 0
        for trial in 0..<400 {
            let items = predictions(count, 0.6, worseBy: 0, &random).baseline
            let interval = try Bootstrap(replicates: 400, seed: UInt64(trial)).interval(items)
            if try #require(interval).contains(0.6) { covered += 1 }
        }
        // 95% of 400 is 380, with a standard deviation of 4.4; accuracies are steps of 1 / count.
        #expect((360...396).contains(covered), "\(covered) of 400 with \(count) items")
    }

    /// Equal systems are called different no more often than the confidence says, worse ones nearly always.
    @Test func noiseIsNoDifference() throws {
        var random = TestRandom(seed: 8)
        var (different, found) = (0, 0)
        for _ in 0..<300 {
            let equal = predictions(100, 0.8, worseBy: 0, &random)
            let noise = try Bootstrap(replicates: 300).pairedInterval(
                baseline: equal.baseline, candidate: equal.candidate)
            if !(try #require(noise).contains(0)) { different += 1 }
            let worse = predictions(100, 0.8, worseBy: 0.3, &random)
            let loss = try Bootstrap(replicates: 300).pairedInterval(
                baseline: worse.baseline, candidate: worse.candidate)
            if try #require(loss).upper < 0 { found += 1 }
        }
        #expect(different <= 26, "\(different) of 300, 15 expected")
        #expect(found >= 285, "\(found) of 300")
    }

    @Test func followsItsSeedAlone() throws {
        var random = TestRandom(seed: 4)
        let losses = (0..<50).map { _ in
            TokenLoss(nats: 20 + random.normal(), tokens: Int.random(in: 1...40, using: &random))
        }
        let items = MetricItems.perplexity(losses)
        #expect(try Bootstrap(seed: 1).interval(items) == Bootstrap(seed: 1).interval(items))
        #expect(try Bootstrap(seed: 1).interval(items) != Bootstrap(seed: 2).interval(items))
        let same = try Bootstrap().pairedInterval(baseline: items, candidate: items)
        #expect(same == ConfidenceInterval(lower: 0, upper: 0, confidence: 0.95))
    }

    /// Every kind of metric over all its items is the metric; over others it is that of those.
    @Test func metricsOfItems() throws {
        var random = TestRandom(seed: 5)
        let x = (0..<80).map { _ in random.normal() }
        let y = x.map { $0 + random.normal() }
        let spearman = MetricItems.spearman(predicted: x, right: y)
        #expect(spearman.value == (try Correlation.spearman(x, y)))
        #expect(try #require(try Bootstrap(replicates: 300).interval(spearman)).contains(spearman.value))
        #expect(MetricItems.spearman(predicted: [1, 1], right: [1, 2]).value == 0, "as the task reports it")
        #expect(MetricItems.spearman(predicted: x, right: y).value(of: [3, 3, 3]) == nil)
        let accuracy = MetricItems.accuracy(isRight: [true, false, true, true])
        #expect(accuracy.value == 0.75 && accuracy.value(of: [1, 1, 0, 2]) == 0.5)
        let losses = [TokenLoss(nats: 3, tokens: 2), TokenLoss(nats: 1, tokens: 5)]
        #expect(MetricItems.perplexity(losses).value == TokenLoss(nats: 4, tokens: 7).perplexity)
        #expect(MetricItems.perplexity([.zero]).value(of: [0]) == nil)
        let pairs = [("a b c d e", "a b c d f"), ("one two three four", "one two three four")]
        let statistics = pairs.map { BLEU().statistics(hypothesis: $0, reference: $1) }
        #expect(MetricItems.bleu(statistics).value == BLEU().corpusScore(statistics))
        let whole = try #require(MetricItems.bleu(statistics).value(of: [1, 1]))
        #expect(abs(whole - 100) < 1e-9)
    }

    @Test func badInput() throws {
        let items = MetricItems.accuracy(isRight: [true, false])
        #expect(throws: MetricError.self) { try Bootstrap(replicates: 1).interval(items) }
        #expect(throws: MetricError.self) { try Bootstrap(confidence: 1).interval(items) }
        #expect(throws: MetricError.self) {
            try Bootstrap().pairedInterval(baseline: items, candidate: .accuracy(isRight: [true]))
        }
        #expect(try Bootstrap().interval(.accuracy(isRight: [true])) == nil, "one item has no spread")
        #expect(try Bootstrap().interval(.accuracy(isRight: [])) == nil)
        let constant = MetricItems.spearman(predicted: [1, 1, 1], right: [1, 2, 3])
        #expect(try Bootstrap().interval(constant) == nil, "undefined on every draw")
    }

    /// Comparisons of plans: exact for equal ones, and only of the same items.
    @Test func comparisonsOfPlans() throws {
        var random = TestRandom(seed: 6)
        func losses(_ factor: Double) -> [ItemLoss] {
            (0..<50).map { index in
                let loss = TokenLoss(nats: factor * Double(index + 1) * 0.1, tokens: 3 + index % 7)
                return ItemLoss(kl: loss, crossEntropy: loss)
            }
        }
        let pair = predictions(50, 0.9, worseBy: 0.4, &random)
        let uniform = PlanMeasurement(losses(1), metric: pair.baseline)
        let plan = PlanMeasurement(losses(0.5), metric: pair.candidate)
        let difference = try plan.compared(with: uniform, named: "uniform bcq2")
        #expect(difference.items == 50 && difference.name == "uniform bcq2")
        let (kl, accuracy) = (try #require(difference.klNats), try #require(difference.metric))
        #expect(kl.isBelowNoise && accuracy.isBelowNoise && !kl.isAboveNoise)
        #expect(agrees(kl.value, plan.mean.klNats - uniform.mean.klNats, within: 1e-12))
        let back = try uniform.compared(with: plan, named: "plan")
        #expect(
            back.metric?.value == -accuracy.value && back.klNats?.isAboveNoise == true)
        let same = try plan.compared(with: plan, named: "itself")
        #expect(same.klNats == Difference(value: 0, interval: Interval(low: 0, high: 0)))
        #expect(same.metric == Difference(value: 0, interval: Interval(low: 0, high: 0)))
        let without = PlanMeasurement(losses(0.5), metric: nil)
        #expect(try without.compared(with: uniform, named: "u").metric == nil, "no metric to compare")
        let fewer = PlanMeasurement(Array(losses(1).dropLast()), metric: nil)
        #expect(throws: MetricError.self) { try fewer.compared(with: uniform, named: "u") }
    }
}
