import BitplanKernels
import BitplanMetrics
import BitplanModels
import BitplanQuantizers
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat

/// A model and the data that it is planned on, opened and ready to measure: what sweep, plan and auto share.
package struct Workbench<Family: ModelFamily>: Sendable {
    /// The model directory.
    package let model: Model<Family>
    /// The network in full precision.
    package let network: Family.Net
    /// Where the data came from.
    package let source: DataSource
    /// Text that codes are calibrated on; nil where that is the data.
    package let calibrationSource: DataSource?
    /// The data that plans are measured on.
    package let data: Dataset<Family.Net.Example>
    /// What codes are calibrated on.
    package let text: [Family.Net.Example]
    /// What measures cells and plans.
    package let measurer: Measurer<Family>
    /// What encodes a whole plan as its packed model will have it.
    package let encoder: PlanEncoder<Family>
    /// What the store has of cells, and of plans encoded as a whole.
    let records: StoredExperiment?
    let packedRecords: StoredExperiment?
    /// How codes are fitted and how much is measured.
    package let options: Options
    /// The weights' identity, which tables and plans carry.
    package let identity: ModelIdentity

    /// How codes are fitted and how much is measured.
    package struct Options: Sendable {
        /// How codes are fitted.
        package var fit: CodeFit
        /// How the task is run.
        package var task: TaskOptions
        /// How many cells of a sweep, those of largest KL first, get the task's metric too.
        package var metricCells: Int
        /// Whether a sweep measures types and stacks beside sublayers.
        package var measuresGroups = true
        /// Share of a plan's loss that a sweep may lose to wrong choices for the sake of fewer items a cell; nil measures all items.
        package var precision: Double?
        /// Whether every measurement runs the whole model and all its logits: a comparison for what is faster.
        package var isNaive = false
        /// What stands for KL in a sweep's cells; nil measures them.
        package var proxy: ProxySignal?
        /// Where measurements are kept, so that none is made twice; nil keeps none.
        package var store: MeasurementStore?

        /// Calibrated codes, greedy decoding, KL alone, all items.
        package init(
            fit: CodeFit = .calibrated, task: TaskOptions = TaskOptions(), metricCells: Int = 0
        ) {
            self.fit = fit
            self.task = task
            self.metricCells = metricCells
        }
    }

    /// Opens a model and its data, and runs the model over them once.
    ///
    /// - Parameter calibration: text that codes are calibrated on; the data themselves where nil.
    /// - Throws: one-line errors for what is missing or wrong with either.
    package init(
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
        // What is measured for comparison is measured.
        if let store = options.isNaive ? nil : options.store {
            var experiment = try Experiment(
                model, identity, source: source, calibration: calibrationSource, fit: options.fit)
            records = try StoredExperiment(experiment, in: store)
            experiment.encoding = encoder.encoding
            packedRecords = try StoredExperiment(experiment, in: store)
        } else {
            records = nil
            packedRecords = nil
        }
        measurer = Measurer(
            encodings: encodings,
            evaluator: try Evaluator(
                reference: network, examples: Self.shuffled(data.examples), threads: options.task.threads,
                usesSketches: !options.isNaive, splitsWeights: !options.isNaive),
            reusesPrefixes: !options.isNaive, records: records)
    }

    /// The items in an order that says nothing about them: what is measured on the first of them holds for the others.
    static func shuffled<Item>(_ items: [Item]) -> [Item] {
        var items = items
        var generator = SeededGenerator(seed: 1)
        for last in items.indices.dropFirst().reversed() {
            items.swapAt(last, generator.index(below: last + 1))
        }
        return items
    }

    /// The task's score of a network on the data.
    package func score(_ network: Family.Net) throws -> TaskScore {
        try model.family.task.score(network, on: data, options: options.task)
    }

    /// Writes the packed directory of a plan for this model.
    package func write(_ plan: Plan, to directory: URL) throws {
        let packed = try encoder.encode(try plan.schemes(of: model.layout))
        try PackedModel.write(model, plan, to: directory, packed: packed)
    }

    /// Sweeps every sublayer, alone and by type, under every candidate.
    ///
    /// - Parameters:
    ///   - progress: called with the work that was done so far, and at most will be; see `Sweep.run`.
    ///   - cost: called with what the sweep took.
    package func sweep(
        candidates: [Scheme], progress: (Int, Int) -> Void = { _, _ in }, cost: (SweepCost) -> Void = { _ in }
    ) throws -> SensitivityTable {
        let full = try score(network)
        let encodings = measurer.encodings
        let start = processSeconds()
        let encoding = encodings.encodingSeconds
        defer {
            cost(
                SweepCost(
                    allSeconds: processSeconds() - start,
                    encodingSeconds: encodings.encodingSeconds - encoding,
                    evaluationSeconds: measurer.evaluator.evaluationSeconds))
        }
        let sweep = Sweep(
            measurer, candidates: candidates, precision: options.precision,
            measuresGroups: options.measuresGroups)
        let cells =
            if let proxy = options.proxy {
                try proxyCells(proxy, candidates: candidates, progress: progress)
            } else {
                try sweep.run(
                    metric: { try metric(of: $0) }, metricCells: options.metricCells, progress: progress)
            }
        var table = SensitivityTable(
            model: identity, layout: model.layout,
            provenance: try source.provenance(
                sentences: data.examples.count, metric: full.signature,
                calibration: calibrationSource),
            fit: options.fit, candidates: candidates,
            fullPrecision: LossMeasurement(
                try measurer.evaluator.referenceLosses(), metric: full.values.first?.value),
            byType: cells.byType, bySublayer: cells.bySublayer, workload: meanWorkload)
        table.proxy = options.proxy
        return table
    }

    /// The work of a mean item of the data.
    package var meanWorkload: Workload {
        let all = data.examples.map { network.workload(of: $0) }
        func mean(_ part: (Workload) -> Int) -> Int {
            Int((Double(all.reduce(0) { $0 + part($1) }) / Double(max(1, all.count))).rounded())
        }
        return Workload(
            read: mean(\.read), steps: mean(\.steps), predictions: mean(\.predictions),
            sequences: max(1, mean(\.sequences)))
    }
}

/// What a sweep took, in CPU seconds of all threads.
package struct SweepCost: Sendable {
    /// All of it.
    package let allSeconds: Double
    /// Fitting codes to matrices.
    package let encodingSeconds: Double
    /// One run of the whole model over the data, all logits included.
    package let evaluationSeconds: Double
    /// All but encoding.
    package var measuringSeconds: Double { allSeconds - encodingSeconds }
    /// Measuring, as a multiple of one evaluation.
    package var evaluations: Double { measuringSeconds / evaluationSeconds }
}
