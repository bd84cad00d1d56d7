import BitplanEncoding
import BitplanModels
import BitplanQuantizers
import BitplanSensitivity
import BitplanTensors
import BitplanTraining
import Foundation
import PlanFormat

/// A run of training with everything that it needs, before its first step.
struct OpenedTuning<Family: ModelFamily> {
    let model: Model<Family>
    let identity: ModelIdentity
    let full: Family.Net
    let data: TuningData<Family>
    let start: TuningStart<Family>
    let recipe: TrainingRecipe
    private let changes: @Sendable (inout TrainingSettings) throws -> Void
    private let threads: Int
    let evaluator: Evaluator<Family.Net>
    /// What is to be said once nothing is left to refuse.
    let notes: [String]

    init(_ request: TuneRequest) throws {
        try request.check(Family.self)
        model = try Model<Family>(directory: request.model, languages: request.task.languages)
        let reader = KLDataReader(model, options: request.task, store: request.store)
        identity = try reader.identity()
        var notes: [String] = []
        data = try TuningData(request, reader) { notes.append($0) }
        self.notes = notes
        recipe = request.recipe ?? (model.layout.parameterCount > 8_000_000 ? .scales : .weights)
        changes = request.changes
        let settings = try Self.settings(recipe, steps: 1, model, changes)
        guard settings.objective == .kl || data.hasReferences && data.hasLabels else {
            throw UsageError(
                "recipe '\(recipe.rawValue)' learns from labels or references: expected data with them, got texts or scores alone"
            )
        }
        guard settings.labelShare == 0 || data.hasLabels else {
            throw UsageError("--label-share: expected data with labels or translations, got texts alone")
        }
        try AvailableMemory.require(
            recipe.memoryBytes(parameters: model.layout.parameterCount), for: request.model)
        full = try reader.network()
        start = try TuningStart(request, model, full, identity, data.calibration)
        try settings.check(Array(TrainedModel.matrices(start.packed, model.layout).values))
        threads = request.task.threads
        // Logits of a large vocabulary take more memory than computing them again, a few times a run, takes
        // time.
        evaluator = try Evaluator(
            reference: full, examples: data.heldOut.examples, threads: request.task.threads, logitsLimit: 0,
            usesSketches: false)
    }
}

extension OpenedTuning {
    /// The recipe's settings for so many steps, with the request's changes.
    func settings(steps: Int) throws -> TrainingSettings {
        try Self.settings(recipe, steps: steps, model, changes)
    }

    private static func settings(
        _ recipe: TrainingRecipe, steps: Int, _ model: Model<Family>,
        _ changes: (inout TrainingSettings) throws -> Void
    ) throws -> TrainingSettings {
        var settings = TrainingSettings(recipe, steps: steps, parameters: model.layout.parameterCount)
        try changes(&settings)
        return settings
    }

    /// Where a run starts.
    func state() throws -> TrainingState {
        TrainingState(
            try TrainedModel(
                start.packed, vectors: start.vectors, as: start.vectorType,
                latents: recipe.learnsWeights ? start.latents(model, recipe) : [:], layout: model.layout))
    }

    /// A run at `state`.
    func trainer(_ settings: TrainingSettings, _ state: TrainingState) -> Trainer<Family.Net> {
        Trainer(
            full, examples: data.examples, heldOut: evaluator, settings: settings, state: state,
            threads: threads)
    }
}

/// The items of a run: learned from, chosen by, calibrated on.
struct TuningData<Family: ModelFamily> {
    let examples: [Family.Net.Example]
    /// Whether what is learned can be references or labels of others.
    let hasReferences: Bool
    /// Whether predictions have a right answer, be it the full-precision model's own.
    let hasLabels: Bool
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
            let seen = Set(heldOut.examples.map { network.tokenRows($0) })
            examples.removeAll { seen.contains(network.tokenRows($0)) }
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
        hasLabels =
            network.hasHead && examples.contains { network.targets($0).contains { $0 != nil } }
        self.heldOut = heldOut
    }
}

/// What a run starts from.
struct TuningStart<Family: ModelFamily> {
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

    /// Where latent weights start: at what codes stand for, or in full precision, as the recipe has it.
    func latents(_ model: Model<Family>, _ recipe: TrainingRecipe) throws -> [String: Matrix] {
        guard recipe.startsInFullPrecision else { return try packed.mapValues { try Quantizer.decode($0) } }
        var weights: [String: Matrix] = [:]
        for shape in model.layout.sublayers.flatMap(\.matrices) {
            weights[shape.tensor] = try model.matrix(shape)
        }
        return weights
    }
}
