import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat

/// How long a run is.
package enum TrainingLength: Sendable, Hashable {
    case steps(Int)
    /// As many steps as fit, by the time that the first few take.
    case minutes(Double)
}

/// Where checkpoints go, and how often.
package struct TrainingCheckpoints: Sendable {
    /// The file.
    package let file: URL
    /// What the run depends on.
    package let signature: [String: String]
    /// Seconds from one to the next.
    package let interval: Double

    /// Checkpoints in `file`.
    package init(file: URL, signature: [String: String], interval: Double) {
        self.file = file
        self.signature = signature
        self.interval = interval
    }
}

/// A run of training with its log and its checkpoints.
package struct TrainingRun<Net: Network> {
    private var trainer: Trainer<Net>
    /// Measurements so far, the start first.
    package private(set) var points: [TrainingLog.Point]
    private var recent: [Double]
    private let checkpoints: TrainingCheckpoints
    private let started: (wall: Date, cpu: Double)

    /// A run that starts with `trainer`, or goes on with one that a checkpoint has led to.
    package init(
        _ trainer: Trainer<Net>, checkpoints: TrainingCheckpoints, from checkpoint: TrainingCheckpoint? = nil
    ) {
        self.trainer = trainer
        self.checkpoints = checkpoints
        points = checkpoint?.points ?? []
        recent = checkpoint?.recent ?? []
        started = (
            Date().addingTimeInterval(-(points.last?.seconds ?? 0)),
            processSeconds() - (points.last?.cpuSeconds ?? 0)
        )
    }

    /// The settings, with the steps that the run has in the end.
    package var settings: TrainingSettings { trainer.settings }
    /// The best parameters so far.
    package var best: TrainingState.Best? { trainer.state.best }

    /// Runs to the end.
    ///
    /// - Parameter event: called with every measurement, the steps of the run and the seconds that are left.
    /// - Throws: `TrainingError`; `best` has the best parameters all the same.
    package mutating func run(event: (TrainingLog.Point, Int, Double) -> Void) throws {
        if points.isEmpty {
            try measure()
            event(points[0], settings.steps, .infinity)
        }
        var saved = Date()
        while !trainer.isDone {
            recent.append(try trainer.step())
            let step = trainer.state.step
            if step % settings.evaluateEvery == 0 || trainer.isDone {
                try measure()
                let point = points[points.count - 1]
                event(
                    point, settings.steps, point.seconds / Double(step) * Double(settings.steps - step))
            }
            if -saved.timeIntervalSinceNow >= checkpoints.interval {
                try save()
                saved = Date()
            }
        }
    }

    /// Measures held-out items, and writes down what came of it.
    private mutating func measure() throws {
        let loss = try trainer.evaluate()
        points.append(
            TrainingLog.Point(
                step: trainer.state.step, heldOut: loss.klNats,
                heldOutCrossEntropy: settings.learnsLabels ? loss.crossEntropyNats : nil,
                training: recent.isEmpty ? nil : recent.reduce(0, +) / Double(recent.count),
                cpuSeconds: processSeconds() - started.cpu, seconds: -started.wall.timeIntervalSinceNow))
        recent = []
    }

    private func save() throws {
        try TrainingCheckpoint(
            signature: checkpoints.signature, settings: settings, state: trainer.state, points: points,
            recent: recent
        ).write(to: checkpoints.file)
    }
}
