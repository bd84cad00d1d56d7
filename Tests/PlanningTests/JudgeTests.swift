import BitplanMetrics
import BitplanPlanning
import BitplanTensors
import PlanFormat
import Testing

/// Which of the measured plans is written, over many small instances: KL decides, the metric objects where it
/// is worse beyond its noise.
@Suite struct JudgeTests {
    private struct Outcome {
        let measurer: SyntheticMeasurer
        let plan: Plan
        let written: Plan.MeasuredPlan
        let layout: ModelLayout
        let budget: Int
    }

    private func outcome(
        seed: Int, metric: SyntheticMeasurer.MetricKind, items: Int = 100, encodesInOrder: Bool = true,
        effort: Int = 120
    ) throws -> Outcome {
        var generator = SeededGenerator(seed: UInt64(7000 + seed))
        let measurer = SyntheticMeasurer(
            seed: UInt64(seed), sublayers: 4 + seed % 4, interaction: 0.5, encodesInOrder: encodesInOrder,
            metric: metric, items: items)
        let table = measurer.table(distortion: 0.3)
        let sizes = measurer.candidates.map { scheme in
            measurer.layout.sizeInBytes(measurer.layout.sublayers.map { _ in scheme })
        }.sorted()
        // Above the second uniform plan, so that there is one to lose to and bytes to use.
        let share = 0.2 + 0.6 * generator.uniform()
        let budget = sizes[1] + Int(Double(sizes[2] - sizes[1]) * share)
        let target = PlanTarget(size: .bytes(budget))
        let plan = try Planner(
            measurer, table, space: PlanSpace(target, table), prefersLessMetric: false
        ).plan(effort: effort).plan
        let written = try #require(plan.measured?.first { $0.origin == plan.origin })
        return Outcome(
            measurer: measurer, plan: plan, written: written, layout: measurer.layout, budget: budget)
    }

    /// The metrics of all plans are the same but for chance: hardly any plan of least KL is set aside.
    @Test func noiseDoesNotObject() throws {
        var setAside = 0
        for seed in 0..<120 {
            let outcome = try outcome(seed: seed, metric: .noise)
            if try #require(outcome.plan.measured?.first).setAside != nil { setAside += 1 }
        }
        // One side of 95%: 3 of 120 expected, with a standard deviation of 1.7.
        #expect(setAside <= 9, "\(setAside) of 120")
    }

    /// Every mixture is worse by far: what is written is uniform, and the file says why.
    @Test(arguments: 0..<20)
    func aWorseMetricObjects(seed: Int) throws {
        let outcome = try outcome(seed: seed, metric: .objectsToMixtures)
        #expect(Set(try outcome.plan.schemes(of: outcome.layout)).count == 1)
        let before = try #require(outcome.plan.measured).prefix { $0.origin != outcome.plan.origin }
        for plan in before {
            let against = try #require(plan.against)
            #expect(plan.setAside == .metric && against.items == 100)
            #expect(against.name == outcome.written.origin.description)
            let (metric, kl) = (try #require(against.metric), try #require(against.klNats))
            #expect(metric.isBelowNoise && kl.value < 0)
        }
        #expect(outcome.written.against == nil && outcome.written.setAside == nil)
    }

    /// With so few items the metric's noise is not known: KL decides, whatever the metric says.
    @Test(arguments: 0..<20)
    func fewItemsDoNotObject(seed: Int) throws {
        let outcome = try outcome(seed: seed, metric: .objectsToMixtures, items: 29)
        let measured = try #require(outcome.plan.measured)
        #expect(measured.first == outcome.written && measured.allSatisfy { $0.setAside == nil })
        #expect(outcome.written.klNats == measured.map(\.klNats).min())
    }

    /// No plan that was measured and fits is left unwritten where it is better: less KL beyond noise than the
    /// written one, and a metric that is not worse than uniform's beyond noise. What the search measured
    /// counts, not the finalists alone.
    @Test(arguments: [SyntheticMeasurer.MetricKind.noise, .followsLoss, .objectsToMixtures], 0..<25)
    func nothingBetterIsLeft(metric: SyntheticMeasurer.MetricKind, seed: Int) throws {
        let outcome = try outcome(seed: seed, metric: metric)
        let (measurer, layout) = (outcome.measurer, outcome.layout)
        let measured = try #require(outcome.plan.measured)
        for plan in measured.prefix(while: { $0 != outcome.written }) { #expect(plan.setAside == .metric) }
        // Plans that the search measured and did not take have more KL than those that it took: they matter
        // where these are set aside, which chance alone seldom does.
        let isByChance = metric != .objectsToMixtures && measured.first != outcome.written
        guard !isByChance else { return }
        let written = measurer.measurement(of: try outcome.plan.schemes(of: layout))
        let uniform = try #require(
            measurer.candidates.map { scheme in layout.sublayers.map { _ in scheme } }
                .filter { layout.sizeInBytes($0) <= outcome.budget }
                .min { measurer.loss($0) < measurer.loss($1) })
        let baseline = measurer.measurement(of: uniform)
        var compared = 0
        for assignment in measurer.asked.contenders where layout.sizeInBytes(assignment) <= outcome.budget {
            let other = measurer.measurement(of: assignment)
            let kl = try #require(try other.compared(with: written, named: "").klNats)
            let accuracy = try #require(try other.compared(with: baseline, named: "").metric)
            #expect(!kl.isBelowNoise || accuracy.isBelowNoise, "seed \(seed): \(assignment)")
            compared += 1
        }
        #expect(compared > 5)
    }

    /// Where nothing objects the bytes are used: no step up of one sublayer that still fits loses less.
    @Test(arguments: 0..<25)
    func theBudgetIsUsed(seed: Int) throws {
        let outcome = try outcome(seed: seed, metric: .followsLoss, encodesInOrder: false, effort: 2000)
        #expect(outcome.plan.measured?.first == outcome.written)
        let schemes = try outcome.plan.schemes(of: outcome.layout)
        let left = outcome.budget - outcome.written.bytes
        for step in try #require(outcome.plan.steps) where (1...max(1, left)).contains(step.bytesChange) {
            let index = try #require(outcome.layout.sublayers.firstIndex { $0.name == step.sublayer })
            var other = schemes
            other[index] = step.scheme
            let gain = outcome.measurer.loss(schemes) - outcome.measurer.loss(other)
            #expect(gain <= 1e-9, "seed \(seed): \(step.sublayer) to \(step.scheme) fits \(left) bytes")
        }
    }

    /// Every measured plan has its intervals, around its values.
    @Test func intervalsAreRecorded() throws {
        let outcome = try outcome(seed: 3, metric: .followsLoss)
        for plan in try #require(outcome.plan.measured) {
            let (kl, metric) = (try #require(plan.klInterval), try #require(plan.metricInterval))
            #expect(kl.low <= plan.klNats && plan.klNats <= kl.high)
            let value = try #require(plan.metric)
            #expect(metric.low <= value && value <= metric.high)
            guard let against = plan.against else { continue }
            let difference = try #require(against.klNats)
            let interval = try #require(difference.interval)
            #expect(interval.low <= difference.value && difference.value <= interval.high)
        }
        #expect(outcome.plan.measured?.count(where: { $0.against == nil }) == 1, "the uniform plan")
    }
}
