import BitplanEncoding
import BitplanMeasurements
import BitplanModels
import BitplanTraining
import Foundation
import PlanFormat

/// What `tune` is to do.
package struct TuneRequest: Sendable {
    /// The model directory, in full precision.
    package var model: URL
    /// What is tuned: a plan, whose codes are fitted first, or a packed model.
    package var start: Start
    /// What is learned from.
    package var data: DataSource
    /// What the best parameters are chosen by; a part of the data where nil.
    package var heldOut: DataSource?
    /// Text that the plan's codes are calibrated on; the first items of the data where nil.
    package var calibration: DataSource?
    /// What is learned; by the model's size where nil.
    package var recipe: TrainingRecipe?
    /// How long.
    package var length: TrainingLength
    /// Seconds from one checkpoint to the next.
    package var checkpointInterval: Double
    /// Settings in place of the recipe's own.
    package var changes: @Sendable (inout TrainingSettings) throws -> Void
    /// How the task is run, and threads.
    package var task: TaskOptions
    /// Where own outputs are kept.
    package var store: MeasurementStore?
    /// The packed directory to write.
    package var output: URL
    /// Goes on from the checkpoint that an interrupted run has left.
    package var resumes: Bool

    /// Where training starts.
    package enum Start: Sendable {
        case plan(Plan)
        case packed(URL)
    }

    /// A request from its parts.
    package init(
        model: URL, start: Start, data: DataSource, heldOut: DataSource? = nil,
        calibration: DataSource? = nil, recipe: TrainingRecipe? = nil, length: TrainingLength,
        task: TaskOptions = TaskOptions(), store: MeasurementStore? = nil, output: URL, resumes: Bool = false,
        checkpointInterval: Double = 60,
        changes: @escaping @Sendable (inout TrainingSettings) throws -> Void = { _ in }
    ) {
        self.model = model
        self.start = start
        self.data = data
        self.heldOut = heldOut
        self.calibration = calibration
        self.recipe = recipe
        self.length = length
        self.task = task
        self.store = store
        self.output = output
        self.resumes = resumes
        self.checkpointInterval = checkpointInterval
        self.changes = changes
    }

    /// The log beside the packed directory.
    package var log: URL {
        output.deletingLastPathComponent().appending(path: "\(output.lastPathComponent).training.json")
    }

    /// What an interrupted run has left.
    package var checkpoint: URL {
        output.deletingLastPathComponent().appending(
            path: "\(output.lastPathComponent).checkpoint.safetensors")
    }
}

extension TuneRequest {
    /// What can be wrong before anything is read.
    func check<Family: ModelFamily>(_ family: Family.Type) throws {
        try PackedModel<Family>.checkReplaceable(output)
        switch length {
        case .steps(let steps) where steps < 1:
            throw UsageError("steps: expected at least 1, got \(steps)")
        case .minutes(let minutes) where !(minutes > 0 && minutes.isFinite):
            throw UsageError("minutes: expected more than 0, got \(minutes)")
        default: break
        }
        if let heldOut, let same = data.files.first(where: { Set(heldOut.files).contains($0) }) {
            throw UsageError(
                "\(same.path) is data and held-out data: expected different files, so that what is learned is judged by others"
            )
        }
    }
}
