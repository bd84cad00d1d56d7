import BitplanEncoding
import BitplanMeasurements
import BitplanModels
import BitplanPlanning
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat

extension ModelMeasurer: PlanMeasurer {}

/// A model opened with the data that it is planned on: what sweep, plan and auto share.
package struct MeasuredModel<Family: ModelFamily>: PlannedFromTables, Sendable {
    /// Where the data came from.
    package let source: DataSource
    /// Text that codes are calibrated on; nil where that is the data.
    package let calibration: DataSource?
    /// The weights' identity, which tables and plans carry.
    package let identity: ModelIdentity
    /// What measures the model on the data.
    package let measurer: ModelMeasurer<Family>

    /// Opens a model and its data, and runs the model over them once.
    ///
    /// - Parameters:
    ///   - calibration: text that codes are calibrated on; the data themselves where nil.
    ///   - note: called with a line about what is made of data without references.
    /// - Throws: one-line errors for what is missing or wrong with either.
    package init(
        _ directory: URL, source: DataSource, calibration: DataSource? = nil,
        options: MeasuringOptions = MeasuringOptions(), note: (String) -> Void = { _ in }
    ) throws {
        let model = try Model<Family>(directory: directory, languages: options.task.languages)
        let reader = KLDataReader(model, options: options.task, store: options.store)
        let data = try reader.read(source, note: note)
        let text = try calibration.map { try reader.read($0, note: note) } ?? data
        if !data.hasReferences {
            note(
                "the data have no references (labels, scores): plans are judged by KL alone, and no metric is measured"
            )
        }
        let identity = try reader.identity()
        self.source = source
        self.calibration = calibration
        self.identity = identity
        measurer = try ModelMeasurer(
            model, network: try reader.network(), data: data, text: text.examples, options: options
        ) {
            try Experiment(model, identity, source: source, calibration: calibration, fit: options.fit)
        }
    }

    /// The sublayers and their matrices.
    package var layout: ModelLayout { measurer.layout }

    /// Sweeps every sublayer, alone and by type, under every candidate.
    ///
    /// Without references no cell gets the metric.
    ///
    /// - Parameters: as of `ModelMeasurer.sweep`.
    package func sweep(
        _ options: SweepOptions, progress: (Int, Int) -> Void = { _, _ in },
        cost: (SweepCost) -> Void = { _ in }
    ) throws -> SensitivityTable {
        var options = try options.adapted(to: measurer.model)
        if !measurer.data.hasReferences { options.metricCells = 0 }
        let full = measurer.data.hasReferences ? try measurer.score(measurer.network) : nil
        let cells = try measurer.sweep(options, progress: progress, cost: cost)
        var table = SensitivityTable(
            model: identity, layout: layout,
            provenance: try source.provenance(
                sentences: measurer.data.examples.count, metric: full?.signature, calibration: calibration,
                targets: measuredTargets),
            fit: measurer.options.fit, candidates: options.candidates,
            fullPrecision: LossMeasurement(
                try measurer.cells.evaluator.referenceLosses(), metric: full?.values.first?.value),
            byType: cells.byType, bySublayer: cells.bySublayer, workload: meanWorkload)
        table.proxy = options.proxy
        return table
    }

    /// Measures a part of a sweep's cells into the store; without references no cell gets the metric.
    ///
    /// - Parameters: as of `ModelMeasurer.measure`.
    /// - Returns: how many cells the part has.
    package func measure(
        _ shard: Shard, of options: SweepOptions, progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> Int {
        var options = try options.adapted(to: measurer.model)
        if !measurer.data.hasReferences { options.metricCells = 0 }
        return try measurer.measure(shard, of: options, progress: progress)
    }

    /// What a table or plan records of the targets: nil for references.
    private var measuredTargets: KLTargets? {
        source.targets(of: measurer.data, measurer.model.family.task) == .own ? .own : nil
    }

    package func planner<Measurer: PlanMeasurer>(
        _ table: SensitivityTable, _ target: PlanTarget, _ measurer: Measurer
    ) throws -> Planner<Measurer> {
        guard table.model == identity else {
            throw PlanError.otherModel(expected: table.model, got: identity)
        }
        let (swept, got) = (table.provenance.targets ?? .references, measuredTargets ?? .references)
        guard swept == got else {
            throw UsageError(
                "KL of the table is measured on \(swept.phrase), that of plans on \(got.phrase): expected the same (--targets of sweep and plan)"
            )
        }
        let space = try space(target, candidates: table.candidates)
        return try Planner(
            measurer, table, space: space,
            prefersLessMetric: self.measurer.model.family.task.prefersLessMetric)
    }

    /// The plans of this model that a target admits.
    package func space(_ target: PlanTarget, candidates: [Scheme]) throws -> PlanSpace {
        try PlanSpace(
            target, layout: layout, modelType: Family.modelType, candidates: candidates,
            workload: meanWorkload)
    }

    /// Writes the packed directory of a plan for this model.
    package func write(_ plan: Plan, to directory: URL) throws {
        let packed = try measurer.encoder.encode(try plan.tensorSchemes(of: measurer.model.layout))
        try PackedModel.write(measurer.model, plan, to: directory, packed: packed)
    }

    /// The work of a mean item of the data.
    package var meanWorkload: Workload {
        let examples = measurer.data.examples
        let all = examples.map { measurer.network.workload(of: $0) }
        func mean(_ part: (Workload) -> Int) -> Int {
            Int((Double(all.reduce(0) { $0 + part($1) }) / Double(max(1, all.count))).rounded())
        }
        return Workload(
            read: mean(\.read), steps: mean(\.steps), predictions: mean(\.predictions),
            sequences: max(1, mean(\.sequences)))
    }
}
