import BitplanEncoding
import BitplanKernels
import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanQuantizers
import BitplanSensitivity
import BitplanTensors
import BitplanTraining
import Foundation
import PlanFormat

/// What `tune` has to tell while it works.
package enum TuneEvent: Sendable {
    case note(String)
    /// A measurement, and the seconds that are left.
    case point(TrainingLog.Point, of: Int, left: Double)
}

/// Trains a quantized model to say what the full-precision model says, and writes the best packed model by
/// held-out data; the start is among those that it chooses from, so the result is never worse there.
///
/// - Returns: the log, which is also written beside the packed directory.
/// - Throws: one-line errors for what is missing or wrong; nothing half-written is left behind.
package func tune<Family: ModelFamily>(
    _ family: Family.Type, _ request: TuneRequest, event: (TuneEvent) -> Void = { _ in }
) throws -> TrainingLog {
    let opened = try OpenedTuning<Family>(request)
    let (model, full, start, data) = (opened.model, opened.full, opened.start, opened.data)
    let (identity, recipe, evaluator) = (opened.identity, opened.recipe, opened.evaluator)
    let steps = if case .steps(let steps) = request.length { steps } else { 1000 }
    var settings = try opened.settings(steps: steps)
    var log = TrainingLog(
        model: identity, plan: start.plan.origin?.description ?? "plan", bytes: start.bytes,
        recipe: recipe.rawValue, settings: settings.text, items: data.examples.count,
        heldOutItems: data.heldOut.examples.count, dataSHA256: try request.data.contentHash(),
        heldOutSHA256: try request.heldOut?.contentHash(), steps: settings.steps)
    let signature = log.settings.merging([
        "model": identity.sha256, "plan": try start.plan.signature(), "recipe": recipe.rawValue,
        "data": log.dataSHA256, "held-out data": log.heldOutSHA256 ?? "a part of the data",
        "steps": request.length == .steps(settings.steps) ? "\(settings.steps)" : "by minutes",
    ]) { first, _ in first }
    var state = try opened.state()
    var checkpoint: TrainingCheckpoint?
    if request.resumes {
        checkpoint = try TrainingCheckpoint(request.checkpoint, from: state, signature: signature)
    } else if FileManager.default.fileExists(atPath: request.checkpoint.path) {
        throw FileError(
            request.checkpoint,
            "an interrupted run has left this: go on from it with --resume, or remove it to start anew")
    }
    if let checkpoint {
        (state, settings) = (checkpoint.state, checkpoint.settings)
    } else if case .minutes(let minutes) = request.length {
        settings = try opened.settings(
            steps: opened.trainer(settings, state).steps(fitting: 60 * minutes))
    }
    var run = TrainingRun(
        opened.trainer(settings, state),
        checkpoints: .init(
            file: request.checkpoint, signature: signature, interval: request.checkpointInterval),
        from: checkpoint)
    for note in opened.notes { event(.note(note)) }
    // Where something is not finite, the best parameters so far are written all the same.
    var failure: TrainingError?
    do {
        try run.run { event(.point($0, of: $1, left: $2)) }
    } catch let error as TrainingError {
        failure = error
    }
    guard let best = run.best else { throw failure ?? .nothingMeasured }
    log.settings = settings.text
    (log.points, log.steps, log.bestStep) = (run.points, run.settings.steps, best.step)

    var plan = start.plan
    plan.tuning = Plan.Tuning(
        recipe: recipe.rawValue, steps: best.step, dataSHA256: log.dataSHA256, seed: settings.seed,
        klBefore: log.points[0].heldOut,
        klAfter: log.points.first { $0.step == best.step }?.heldOut ?? log.points[0].heldOut)
    let tuned = try full.replacing([:], vectors: best.vectors)
    try PackedModel.write(model.reading(from: tuned), plan, to: request.output, packed: best.packed)
    if let failure {
        try JSONFile.write(log, to: request.log)
        try? FileManager.default.removeItem(at: request.checkpoint)
        throw StoppedTraining(failure: failure, step: best.step, output: request.output)
    }
    // What was written is what counts: its own kernels, its own file.
    let written = try PackedModel<Family>(directory: request.output).network()
    log.packedHeldOut = LossMeasurement(try evaluator.losses(of: written)).klNats
    if data.heldOut.hasReferences {
        event(.note("measuring the metric on held-out items"))
        let before = try full.replacing(
            try start.packed.mapValues { try LinearOperators.measuring($0) },
            vectors: start.vectorType.stored(start.vectors))
        func score(_ network: Family.Net) throws -> TaskScore {
            try model.family.task.score(network, on: data.heldOut, options: request.task)
        }
        if let first = try score(before).values.first, let last = try score(written).values.first {
            log.metric = .init(name: first.name, start: first.value, end: last.value)
        }
    }
    try JSONFile.write(log, to: request.log)
    try? FileManager.default.removeItem(at: request.checkpoint)
    return log
}

extension Plan {
    /// SHA-256 of what the plan says of the weights.
    fileprivate func signature() throws -> String {
        let hash = ContentHash()
        for (name, scheme) in sublayers.sorted(by: { $0.key < $1.key }) {
            hash.add(name, Data(scheme.description.utf8))
        }
        hash.add("fit", Data("\(fit?.rawValue ?? "")".utf8))
        hash.add("tuning", try tuning.map { try JSONFile.data($0) } ?? Data())
        return hash.finish()
    }
}

/// A run that ended before its steps were done.
private struct StoppedTraining: Error, CustomStringConvertible {
    let failure: TrainingError
    /// The step whose parameters are written.
    let step: Int
    let output: URL

    var description: String {
        "\(failure); \(output.path) has the parameters of step \(step), the best so far"
    }
}
