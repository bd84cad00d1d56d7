import BitplanModels
import BitplanTensors
import BitplanTraining
import Foundation

/// What a run of training takes, by a few of its steps.
package struct TuneEstimate: Sendable, Encodable {
    /// Steps in a minute, without measurements.
    package let stepsPerMinute: Double
    /// Tokens in a second, of all that is read and predicted.
    package let tokensPerSecond: Double
    /// Seconds of the whole run, with nothing else on the machine: opening, steps, measurements of held-out
    /// items and, where there are references, their metric before and after.
    package let seconds: Double
    /// The same in CPU seconds, by part.
    package let cpuSeconds: [String: Double]
    /// Most memory of the process so far.
    package let peakMemoryBytes: Int
    /// Items of a step.
    package let batchSize: Int
    /// Items that are learned from.
    package let items: Int
    /// What is learned.
    package let recipe: String

    /// Tries a few steps; nothing is written.
    package init<Family: ModelFamily>(_ family: Family.Type, _ request: TuneRequest) throws {
        let opened = try OpenedTuning<Family>(request)
        var parts = ["opening": processSeconds()]
        let settings = try opened.settings(steps: 1000)
        var trainer = opened.trainer(settings, try opened.state())
        try trainer.step()
        let (start, cpuStart) = (Date(), processSeconds())
        let steps = 8
        for _ in 0..<steps { try trainer.step() }
        let seconds = -start.timeIntervalSinceNow
        let step = (processSeconds() - cpuStart) / Double(steps)
        let measurement = try Self.cpuSeconds { try trainer.evaluate() }
        let threads = Double(max(1, request.task.threads))
        switch request.length {
        case .steps(let all):
            parts["steps"] = step * Double(all)
            // The start, every so many steps, the last one, and the packed result.
            let measurements = 3 + (all - 1) / settings.evaluateEvery
            parts["held-out items"] = measurement * Double(measurements)
        case .minutes(let minutes):
            parts["steps"] = 60 * minutes * threads
            parts["held-out items"] = measurement
        }
        let heldOut = opened.data.heldOut
        if heldOut.hasReferences {
            let few = Dataset(
                examples: Array(heldOut.examples.prefix(8)), references: Array(heldOut.references.prefix(8)))
            let metric = try Self.cpuSeconds {
                try opened.model.family.task.score(opened.full, on: few, options: request.task)
            }
            parts["metric"] =
                2 * metric * Double(heldOut.examples.count) / Double(max(1, few.examples.count))
        }
        cpuSeconds = parts
        self.seconds = parts.values.reduce(0, +) / threads
        stepsPerMinute = 60 * Double(steps) / seconds
        let order = BatchOrder(count: opened.data.examples.count, seed: settings.seed)
        let read = (1...steps).flatMap { order.batch($0, size: settings.batchSize) }
        tokensPerSecond =
            Double(read.reduce(0) { $0 + opened.full.tokenCount(opened.data.examples[$1]) }) / seconds
        peakMemoryBytes = BitplanWorkflows.peakMemoryBytes()
        batchSize = settings.batchSize
        items = opened.data.examples.count
        recipe = opened.recipe.rawValue
    }

    private static func cpuSeconds(_ body: () throws -> Any) rethrows -> Double {
        let start = processSeconds()
        _ = try body()
        return processSeconds() - start
    }
}
