import BitplanLatency
import BitplanModels
import PlanFormat

extension SentenceTimes {
    /// Times `count` items, evenly spaced in the data, in rounds over all of them.
    ///
    /// - Parameter predict: seconds of an item of that size.
    init<Net: Network>(
        _ network: Net, _ examples: [Net.Example], count: Int, maximumLength: Int?,
        predict: ((Workload) throws -> Double)?
    ) rethrows {
        let chosen = min(max(1, count), examples.count)
        let items = (0..<chosen).map { examples[$0 * examples.count / chosen] }
        var workloads: [Workload] = []
        var seconds = [[Double]](repeating: [], count: chosen)
        for round in 0...Self.rounds {
            for (index, item) in items.enumerated() {
                let start = ContinuousClock.now
                let workload = network.answer(item, maximumLength: maximumLength)
                let elapsed = (ContinuousClock.now - start) / .seconds(1)
                // The first round only warms up.
                if round == 0 { workloads.append(workload) } else { seconds[index].append(elapsed) }
            }
        }
        let timings = seconds.map(Timing.init)
        self.init(
            seconds: Timing(timings.map(\.median)).median,
            spread: timings.reduce(0) { $0 + $1.spread } / Double(chosen),
            predictedSeconds: try predict.map { predict in Timing(try workloads.map(predict)).median },
            sentences: chosen,
            meanRead: Double(workloads.reduce(0) { $0 + $1.read }) / Double(chosen),
            meanPredictions: Double(workloads.reduce(0) { $0 + $1.predictions }) / Double(chosen))
    }

    /// Rounds that are timed.
    static var rounds: Int { 3 }
}
