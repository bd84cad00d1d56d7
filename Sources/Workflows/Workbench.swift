import Foundation
import Kernels
import Metrics
import Models
import PlanFormat
import Quantizers
import Sensitivity

/// A model and the data that it is planned on, opened and ready to measure: what sweep, plan and auto share.
public struct Workbench<Family: ModelFamily>: Sendable {
    /// The model directory.
    public let model: Model<Family>
    /// The network in full precision.
    public let network: Family.Net
    /// Where the data came from.
    public let source: DataSource
    /// Text that codes are calibrated on; nil where that is the data.
    public let calibrationSource: DataSource?
    /// The data that plans are measured on.
    public let data: Dataset<Family.Net.Example>
    /// What codes are calibrated on.
    public let text: [Family.Net.Example]
    /// What measures cells and plans.
    public let measurer: Measurer<Family>
    /// What encodes a whole plan as its packed model will have it.
    public let encoder: PlanEncoder<Family>
    /// How codes are fitted and how much is measured.
    public let options: Options
    /// The weights' identity, which tables and plans carry.
    public let identity: ModelIdentity

    /// How codes are fitted and how much is measured.
    public struct Options: Sendable {
        /// How codes are fitted.
        public var fit: CodeFit
        /// How the task is run.
        public var task: TaskOptions
        /// Whether every cell of a sweep gets the task's metric beside KL.
        public var measuresMetric: Bool

        /// Calibrated codes, greedy decoding, the metric in every cell.
        public init(
            fit: CodeFit = .calibrated, task: TaskOptions = TaskOptions(), measuresMetric: Bool = true
        ) {
            self.fit = fit
            self.task = task
            self.measuresMetric = measuresMetric
        }
    }

    /// Opens a model and its data, and runs the model over them once.
    ///
    /// - Parameter calibration: text that codes are calibrated on; the data themselves where nil.
    /// - Throws: one-line errors for what is missing or wrong with either.
    public init(
        _ directory: URL, source: DataSource, calibration: DataSource? = nil, options: Options = Options()
    ) throws {
        let model = try Model<Family>(directory: directory)
        let data = try source.read(model.family)
        self.model = model
        self.source = source
        calibrationSource = calibration
        self.data = data
        self.options = options
        identity = try model.identity()
        network = try model.network()
        text = try calibration?.read(model.family).examples ?? data.examples
        let calibration = try Calibration(
            network, text, fit: options.fit, threads: options.task.threads)
        let encodings = Encodings(model, fit: options.fit, contexts: { calibration.context($0) })
        encoder = PlanEncoder(
            encodings, network, text: text, calibration: calibration, threads: options.task.threads)
        measurer = Measurer(
            encodings: encodings,
            evaluator: try Evaluator(
                reference: network, examples: data.examples, threads: options.task.threads))
    }

    /// The task's score of a network on the data.
    public func score(_ network: Family.Net) throws -> TaskScore {
        try model.family.score(network, on: data, options: options.task)
    }

    /// A plan's loss and score, measured on the codes that its packed model will have.
    public func measurePacked(_ assignment: Assignment) throws -> LossMeasurement {
        let matrices = try encoder.encode(assignment).mapValues { try LinearOperators.measuring($0) }
        let probe = try network.replacing(matrices)
        let losses = try measurer.evaluator.losses(of: probe)
        return LossMeasurement(losses, metric: try score(probe).values.first?.value)
    }

    /// Writes the packed directory of a plan for this model.
    public func write(_ plan: Plan, to directory: URL) throws {
        let packed = try encoder.encode(try plan.schemes(of: model.layout))
        try PackedModel.write(model, plan, to: directory, packed: packed)
    }

    /// Sweeps every sublayer, alone and by type, under every candidate.
    ///
    /// - Parameter progress: called with the number of cells done and their total.
    public func sweep(candidates: [Scheme], progress: (Int, Int) -> Void = { _, _ in }) throws
        -> SensitivityTable
    {
        let sweep = Sweep(measurer, candidates: candidates)
        let total = sweep.assignments.count
        let cells = try sweep.run(
            metric: options.measuresMetric ? { try score($0).values.first?.value ?? 0 } : nil,
            progress: { progress($0, total) })
        return try table(candidates: candidates, cells: cells)
    }

    /// The table of these cells.
    func table(candidates: [Scheme], cells: Sweep<Family>.Cells) throws -> SensitivityTable {
        let full = try score(network)
        return SensitivityTable(
            model: identity, layout: model.layout,
            provenance: try source.provenance(
                sentences: data.examples.count, metric: full.signature,
                calibration: calibrationSource),
            fit: options.fit, candidates: candidates,
            fullPrecision: LossMeasurement(
                try measurer.evaluator.losses(of: network), metric: full.values.first?.value),
            byType: cells.byType, bySublayer: cells.bySublayer)
    }
}
