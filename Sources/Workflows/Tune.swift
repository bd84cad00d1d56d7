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
    package var changes: @Sendable (inout TrainingSettings) -> Void
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
        changes: @escaping @Sendable (inout TrainingSettings) -> Void = { _ in }
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
    var settings = opened.settings(steps: steps)
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
    var state = TrainingState(opened.trained)
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
        settings = opened.settings(
            steps: try opened.trainer(settings, state).steps(fitting: 60 * minutes))
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
        klBefore: log.points[0].heldOut, klAfter: best.kl)
    let tuned = try full.replacing([:], vectors: best.vectors)
    try PackedModel.write(model.reading(from: tuned), plan, to: request.output, packed: best.packed)
    if let failure {
        try JSONFile.write(log, to: request.log)
        throw StoppedTraining(failure: failure, step: best.step, output: request.output)
    }
    // What was written is what counts: its own kernels, its own file.
    let written = try PackedModel<Family>(directory: request.output).network()
    log.packedHeldOut = try evaluator.losses(of: written).meanKL
    if data.heldOut.hasReferences {
        event(.note("measuring the metric on held-out items"))
        let before = try full.replacing(
            try start.packed.mapValues { try LinearOperators.measuring($0) },
            vectors: start.vectors)
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

extension [ItemLoss] {
    /// Nats of KL per prediction.
    fileprivate var meanKL: Double {
        let (nats, tokens) = reduce((0.0, 0)) { ($0.0 + $1.kl.nats, $0.1 + $1.kl.tokens) }
        return nats / Double(Swift.max(1, tokens))
    }
}

/// A run of training with everything that it needs, before its first step.
private struct OpenedTuning<Family: ModelFamily> {
    let model: Model<Family>
    let identity: ModelIdentity
    let full: Family.Net
    let data: TuningData<Family>
    let start: TuningStart<Family>
    let recipe: TrainingRecipe
    let trained: TrainedModel
    private let changes: @Sendable (inout TrainingSettings) -> Void
    private let threads: Int
    let evaluator: Evaluator<Family.Net>
    /// What is to be said once nothing is left to refuse.
    let notes: [String]

    init(_ request: TuneRequest) throws {
        try request.check(Family.self)
        model = try Model<Family>(directory: request.model)
        let reader = KLDataReader(model, options: request.task, store: request.store)
        identity = try reader.identity()
        var notes: [String] = []
        data = try TuningData(request, reader) { notes.append($0) }
        self.notes = notes
        recipe = request.recipe ?? (model.layout.parameterCount > 8_000_000 ? .scales : .weights)
        guard !recipe.needsReferences || data.hasReferences else {
            throw UsageError(
                "recipe '\(recipe.rawValue)' learns from references: expected data with them, got texts alone"
            )
        }
        try AvailableMemory.require(
            recipe.memoryBytes(parameters: model.layout.parameterCount), for: request.model)
        full = try reader.network()
        start = try TuningStart(request, model, full, identity, data.calibration)
        trained = try TrainedModel(
            start.packed, vectors: start.vectors, as: start.vectorType,
            latents: recipe.learnsWeights ? try start.latents(model, recipe) : [:], layout: model.layout)
        changes = request.changes
        threads = request.task.threads
        evaluator = try Evaluator(
            reference: full, examples: data.heldOut.examples, threads: request.task.threads)
    }
}

extension OpenedTuning {
    /// The recipe's settings for so many steps, with the request's changes.
    fileprivate func settings(steps: Int) -> TrainingSettings {
        var settings = TrainingSettings(recipe, steps: steps, parameters: model.layout.parameterCount)
        changes(&settings)
        return settings
    }

    /// A run at `state`.
    fileprivate func trainer(_ settings: TrainingSettings, _ state: TrainingState) -> Trainer<Family.Net> {
        Trainer(
            full, examples: data.examples, heldOut: evaluator, settings: settings, state: state,
            threads: threads)
    }
}

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
        let settings = opened.settings(steps: 1000)
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
            Double(read.reduce(0) { $0 + opened.full.tokens(opened.data.examples[$1]).count }) / seconds
        peakMemoryBytes = BitplanWorkflows.peakMemoryBytes()
        batchSize = settings.batchSize
        items = opened.data.examples.count
        recipe = opened.recipe.rawValue
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

extension TuneRequest {
    /// What can be wrong before anything is read.
    fileprivate func check<Family: ModelFamily>(_ family: Family.Type) throws {
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

/// The items of a run: learned from, chosen by, calibrated on.
private struct TuningData<Family: ModelFamily> {
    let examples: [Family.Net.Example]
    let hasReferences: Bool
    let heldOut: Dataset<Family.Net.Example>
    let calibration: [Family.Net.Example]

    /// Items that are held out where no file of such is given: every tenth, at most so many.
    private static var heldOutLimit: Int { 200 }
    private static var calibrationLimit: Int { 1000 }

    init(_ request: TuneRequest, _ reader: KLDataReader<Family>, note: (String) -> Void) throws {
        let network = reader.outline
        let data = try reader.read(request.data, note: note)
        let heldOut: Dataset<Family.Net.Example>
        var examples = data.examples
        if let source = request.heldOut {
            heldOut = try reader.read(source, note: note)
            let seen = Set(heldOut.examples.map { network.tokens($0) })
            examples.removeAll { seen.contains(network.tokens($0)) }
            if examples.count < data.examples.count {
                note(
                    "\(data.examples.count - examples.count) items of the data are held-out items too: they are not learned from"
                )
            }
        } else {
            let count = min(Self.heldOutLimit, data.examples.count / 10)
            heldOut = data[data.examples.count - count..<data.examples.count]
            examples.removeLast(count)
            note("the last \(count) items of the data are held out")
        }
        guard !examples.isEmpty, !heldOut.examples.isEmpty else {
            throw UsageError(
                "data: expected at least 1 item to learn from and 1 to hold out, got \(examples.count) and \(heldOut.examples.count)"
            )
        }
        calibration =
            try request.calibration.map { try reader.read($0, note: note).examples }
            ?? Array(examples.prefix(Self.calibrationLimit))
        self.examples = examples
        // Own outputs are no references.
        hasReferences =
            data.hasReferences
            || !reader.task.hasTargetTokens && network.targets(examples[0]).contains { $0 != nil }
        self.heldOut = heldOut
    }
}

/// What a run starts from.
private struct TuningStart<Family: ModelFamily> {
    let plan: Plan
    let packed: [String: PackedMatrix]
    let vectors: [String: [Float]]
    let vectorType: Scheme.FloatType
    let bytes: Int

    init(
        _ request: TuneRequest, _ model: Model<Family>, _ full: Family.Net, _ identity: ModelIdentity,
        _ text: [Family.Net.Example]
    ) throws {
        switch request.start {
        case .plan(let plan):
            try plan.check(for: identity)
            let layout = plan.layout(of: model.layout)
            let schemes = layout.tensorSchemes(try plan.schemes(of: layout))
            let fit = plan.fit ?? .alternating
            let calibration = try Calibration(
                full, text, fit: fit, seesSublayers: false, threads: request.task.threads)
            let encodings = Encodings(model.reading(from: full), fit: fit) { calibration.context($0) }
            packed = try PlanEncoder(
                encodings, full, text: text, calibration: calibration, threads: request.task.threads
            ).encode(schemes)
            self.plan = plan
            vectorType = schemes.vectors
            vectors = try model.storedVectors(as: .fp32)
        case .packed(let directory):
            let tuned = try PackedModel<Family>(directory: directory)
            plan = tuned.plan
            try plan.check(for: identity)
            var matrices: [String: PackedMatrix] = [:]
            for shape in model.layout.sublayers.flatMap(\.matrices) {
                matrices[shape.tensor] = try tuned.packed(shape)
            }
            packed = matrices
            vectorType = tuned.schemes.vectors
            vectors = try tuned.vectors().filter { model.constants.values[$0.key] == nil }
        }
        bytes = model.layout.sizeInBytes(try plan.schemes(of: plan.layout(of: model.layout)))
    }

    /// Where latent weights start: at what codes stand for; of weights that are only now and then replaced,
    /// in full precision.
    func latents(_ model: Model<Family>, _ recipe: TrainingRecipe) throws -> [String: Matrix] {
        guard recipe == .chung else { return try packed.mapValues { try Quantizer.decode($0) } }
        var weights: [String: Matrix] = [:]
        for shape in model.layout.sublayers.flatMap(\.matrices) {
            weights[shape.tensor] = try model.matrix(shape)
        }
        return weights
    }
}
