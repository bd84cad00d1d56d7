import BitplanModels
import BitplanTraining
import Foundation

/// What a run of training takes, by a few of its steps.
package struct TuneEstimate: Sendable, Encodable {
    /// Steps in a minute, without measurements.
    package let stepsPerMinute: Double
    /// Tokens in a second, of all that is read and predicted.
    package let tokensPerSecond: Double
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
        let settings = try opened.settings(steps: 1000)
        var trainer = opened.trainer(settings, TrainingState(opened.trained))
        try trainer.step()
        let start = Date()
        let steps = 8
        for _ in 0..<steps { try trainer.step() }
        let seconds = -start.timeIntervalSinceNow
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
}
