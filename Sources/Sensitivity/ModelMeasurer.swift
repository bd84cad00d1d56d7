import BitplanEncoding
import BitplanKernels
import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanTensors
import PlanFormat

/// How a model is measured.
package struct MeasuringOptions: Sendable {
    /// How codes are fitted.
    package var fit: CodeFit
    /// How the task is run.
    package var task: TaskOptions
    /// What has a scheme of its own.
    package var unit: PlanUnit
    /// Whether every measurement runs the whole model and all its logits: a comparison for what is faster.
    package var isNaive: Bool
    /// Where measurements are kept, so that none is made twice; nil keeps none.
    package var store: MeasurementStore?

    /// Calibrated codes, greedy decoding, no store.
    package init(
        fit: CodeFit = .calibrated, task: TaskOptions = TaskOptions(), unit: PlanUnit = .sublayer,
        isNaive: Bool = false, store: MeasurementStore? = nil
    ) {
        self.fit = fit
        self.task = task
        self.unit = unit
        self.isNaive = isNaive
        self.store = store
    }
}

/// Measures a model on data: cells of a table, whole plans as their packed models have them, and the task's
/// metric of either. What a store has is not measured again.
package struct ModelMeasurer<Family: ModelFamily>: Sendable {
    /// The model directory.
    package let model: Model<Family>
    /// The network in full precision.
    package let network: Family.Net
    /// The data that is measured on.
    package let data: Dataset<Family.Net.Example>
    /// What codes are calibrated on.
    package let text: [Family.Net.Example]
    /// How it is measured.
    package let options: MeasuringOptions
    /// What measures assignments whose matrices are encoded alone.
    package let cells: Measurer<Family>
    /// What encodes a whole plan as its packed model has it.
    package let encoder: PlanEncoder<Family>
    /// What the store has of plans encoded as a whole.
    private let packedRecords: StoredExperiment?

    /// Runs the model over its data once.
    ///
    /// - Parameters:
    ///   - network: the network in full precision.
    ///   - text: what codes are calibrated on.
    ///   - experiment: the key of what is measured; called where there is a store.
    /// - Throws: one-line errors of the model and the store.
    package init(
        _ model: Model<Family>, network: Family.Net, data: Dataset<Family.Net.Example>,
        text: [Family.Net.Example], options: MeasuringOptions, experiment: () throws -> Experiment
    ) throws {
        self.model = model
        self.data = data
        self.text = text
        self.options = options
        self.network = network
        let calibration = try Calibration(network, text, fit: options.fit, threads: options.task.threads)
        let encodings = Encodings(model, fit: options.fit, contexts: { calibration.context($0) })
        encoder = PlanEncoder(
            encodings, network, text: text, calibration: calibration, threads: options.task.threads)
        var records: StoredExperiment?
        // What is measured for comparison is measured.
        if let store = options.isNaive ? nil : options.store {
            var experiment = try experiment()
            records = try StoredExperiment(experiment, in: store)
            experiment.encoding = encoder.isInOrder ? .inOrder : .alone
            packedRecords = try StoredExperiment(experiment, in: store)
        } else {
            packedRecords = nil
        }
        cells = Measurer(
            encodings: encodings,
            evaluator: try Evaluator(
                reference: network, examples: shuffled(data.examples), threads: options.task.threads,
                usesSketches: !options.isNaive, splitsWeights: !options.isNaive),
            unit: options.unit, reusesPrefixes: !options.isNaive, records: records)
    }

    /// What assignments give schemes to.
    package var layout: ModelLayout { cells.layout }

    /// The task's score of a network on the data.
    package func score(_ network: Family.Net) throws -> TaskScore {
        try model.family.task.score(network, on: data, options: options.task)
    }

    /// The task's metric of an assignment whose matrices are encoded alone.
    package func metric(of assignment: Assignment) throws -> Double {
        try metric(of: assignment, cells.records) { try cells.network(assignment) }?.value ?? 0
    }

    private func metric(
        of assignment: Assignment, _ records: StoredExperiment?, network: () throws -> Family.Net
    ) throws -> MetricItems? {
        let key = options.task.metricKey(Family.self)
        if let kept = try records?.cell(assignment).metrics[key] { return kept }
        guard let items = try score(network()).items else { return nil }
        try records?.record(items, metric: key, of: assignment)
        return items
    }
}

/// Whole plans, as a planner asks for them.
extension ModelMeasurer {
    /// Whether codes are fitted behind each other, so that a sublayer's loss depends on the whole plan.
    package var encodesInOrder: Bool { encoder.isInOrder }

    /// What every item loses under each assignment, matrices encoded alone; assignments near `context` are
    /// fast.
    package func losses(of assignments: [Assignment], around context: Assignment) throws -> [[ItemLoss]] {
        try cells.losses(of: assignments, around: context)
    }

    /// What every item loses under plans, measured on the codes that their packed models have.
    package func packedLosses(of plans: [Assignment]) throws -> [[ItemLoss]] {
        try sideBySide(plans) { try packedScores(of: $0, withMetric: false).losses }
    }

    /// Plans' losses and metric, measured on the codes that their packed models have; the losses alone where
    /// the data have no references.
    package func packedMeasurements(of plans: [Assignment]) throws -> [PlanMeasurement] {
        try sideBySide(plans) { plan in
            let (losses, metric) = try packedScores(of: plan, withMetric: data.hasReferences)
            return PlanMeasurement(losses, metric: metric)
        }
    }

    /// Weights in FP32 up to which plans are encoded and measured side by side. The matrices of larger models
    /// keep all threads busy one by one, and more than one decoded copy of the weights takes much memory.
    private static var sideBySideBytes: Int { 64 << 20 }

    /// How many plans of a model are encoded and measured at a time.
    package static func plansAtATime(_ layout: ModelLayout, threads: Int) -> Int {
        layout.fullPrecisionBytes <= sideBySideBytes ? max(1, threads) : 1
    }

    private func sideBySide<Value: Sendable>(
        _ plans: [Assignment], _ measure: @Sendable (Assignment) throws -> Value
    ) throws -> [Value] {
        try concurrentMap(
            count: plans.count, threads: Self.plansAtATime(layout, threads: options.task.threads)
        ) { try measure(plans[$0]) }
    }

    /// Whether the store has all that measuring an assignment would find; false without a store.
    package func isKept(_ assignment: Assignment, _ kind: MeasurementKind) throws -> Bool {
        let records = kind == .alone ? cells.records : packedRecords
        guard let cell = try records?.cell(assignment), cell.items.count >= data.examples.count else {
            return false
        }
        return kind != .packedWithMetric || !data.hasReferences
            || cell.metrics[options.task.metricKey(Family.self)] != nil
    }

    /// What measuring an assignment costs, up to a factor: as of `Measurer.work`.
    package func work(of assignment: Assignment, around context: Assignment) -> Int {
        cells.work(of: assignment, around: context)
    }

    private func packedScores(
        of assignment: Assignment, withMetric: Bool
    ) throws -> (losses: [ItemLoss], metric: MetricItems?) {
        let evaluator = cells.evaluator
        // Encoded once, and only where something is not known.
        var encoded: Family.Net?
        func probe() throws -> Family.Net {
            if let encoded { return encoded }
            var matrices: [String: any LinearOperator] = [:]
            let schemes = layout.tensorSchemes(assignment)
            for (tensor, packed) in try encoder.encode(schemes) {
                matrices[tensor] = try evaluator.measuring(packed, of: tensor)
            }
            let network = try evaluator.reference.replacing(
                matrices, vectors: try model.storedVectors(as: schemes.vectors))
            encoded = network
            return network
        }
        let batches = evaluator.batchSizes
        func measure() throws -> [ItemScore] {
            try evaluator.scores(of: probe(), from: 0, states: [], batches: batches.indices)
        }
        let scores =
            try packedRecords?.finishedScores(
                of: assignment, items: 0..<batches.reduce(0, +), measure: measure) ?? measure()
        return (
            scores.losses, withMetric ? try metric(of: assignment, packedRecords, network: probe) : nil
        )
    }
}

extension TaskOptions {
    /// What the task's metric depends on, beside the model and the data: batches and threads do not count.
    fileprivate func metricKey<Family: ModelFamily>(_ family: Family.Type) -> String {
        let length = maximumLength.map { "\($0)" } ?? "model"
        return "\(Family.modelType)|beams:\(beams)|length:\(length)|temperature:\(temperature)|seed:\(seed)"
    }
}
