import BitplanEncoding
import BitplanKernels
import BitplanMeasurements
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
    package var length: Length
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

    /// The length of a run.
    package enum Length: Sendable {
        case steps(Int)
        /// As many steps as fit, by the time of the first.
        case minutes(Double)
    }

    /// A request from its parts.
    package init(
        model: URL, start: Start, data: DataSource, heldOut: DataSource? = nil,
        calibration: DataSource? = nil, recipe: TrainingRecipe? = nil, length: Length,
        task: TaskOptions = TaskOptions(), store: MeasurementStore? = nil, output: URL, resumes: Bool = false,
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
    try request.check(family)
    let model = try Model<Family>(directory: request.model)
    let reader = KLDataReader(model, options: request.task, store: request.store)
    let identity = try reader.identity()
    let data = try TuningData(request, reader) { event(.note($0)) }
    let full = try reader.network()
    let start = try TuningStart(request, model, full, identity, data.calibration)

    let recipe = request.recipe ?? (model.layout.parameterCount > 8_000_000 ? .scales : .weights)
    let trained = try TrainedModel(
        start.packed, vectors: start.vectors, as: start.vectorType,
        latents: recipe.learnsWeights ? try start.latents(model) : [:])
    var settings = TrainingSettings(recipe, steps: 1, parameters: model.layout.parameterCount)
    if case .steps(let steps) = request.length { settings.steps = steps }
    request.changes(&settings)
    let evaluator = try Evaluator(
        reference: full, examples: data.heldOut.examples, threads: request.task.threads)
    var log = TrainingLog(
        model: identity, plan: start.plan.origin?.description ?? "plan", bytes: start.bytes,
        recipe: recipe.rawValue, settings: settings.text, items: data.examples.count,
        heldOutItems: data.heldOut.examples.count, dataSHA256: try request.data.contentHash(),
        heldOutSHA256: try request.heldOut?.contentHash(), steps: settings.steps)

    let clock = (wall: Date(), cpu: processSeconds())
    func point(_ step: Int, _ heldOut: Double, _ training: Double?) -> TrainingLog.Point {
        TrainingLog.Point(
            step: step, heldOut: heldOut, training: training, cpuSeconds: processSeconds() - clock.cpu,
            seconds: Date().timeIntervalSince(clock.wall))
    }
    var trainer = Trainer(
        full, examples: data.examples, heldOut: evaluator, settings: settings, state: TrainingState(trained),
        threads: request.task.threads)
    log.points.append(point(0, try trainer.evaluate(), nil))
    event(.point(log.points[0], of: settings.steps, left: .infinity))
    var recent: [Double] = []
    while !trainer.isDone {
        recent.append(try trainer.step())
        let step = trainer.state.step
        guard step % settings.evaluateEvery == 0 || trainer.isDone else { continue }
        let measured = point(
            step, try trainer.evaluate(), recent.reduce(0, +) / Double(max(1, recent.count)))
        recent = []
        log.points.append(measured)
        event(
            .point(
                measured, of: settings.steps,
                left: measured.seconds / Double(step) * Double(settings.steps - step)))
    }
    guard let best = trainer.state.best else { return log }
    log.bestStep = best.step
    let network = try full.replacing([:], vectors: best.vectors)
    try PackedModel.write(
        model.reading(from: network), start.plan, to: request.output, packed: best.packed)
    try JSONFile.write(log, to: request.log)
    return log
}

extension TuneRequest {
    /// What can be wrong before anything is read.
    fileprivate func check<Family: ModelFamily>(_ family: Family.Type) throws {
        try PackedModel<Family>.checkReplaceable(output)
        switch length {
        case .steps(let steps) where steps < 1:
            throw UsageError("steps: expected at least 1, got \(steps)")
        case .minutes(let minutes) where !(minutes > 0):
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

    /// Where latent weights start: at what codes stand for.
    func latents(_ model: Model<Family>) throws -> [String: Matrix] {
        try packed.mapValues { try Quantizer.decode($0) }
    }
}
