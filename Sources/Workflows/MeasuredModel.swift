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
package struct MeasuredModel<Family: ModelFamily>: Sendable {
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
    /// - Parameter calibration: text that codes are calibrated on; the data themselves where nil.
    /// - Throws: one-line errors for what is missing or wrong with either.
    package init(
        _ directory: URL, source: DataSource, calibration: DataSource? = nil,
        options: MeasuringOptions = MeasuringOptions()
    ) throws {
        let model = try Model<Family>(directory: directory)
        let data = try source.read(model.family)
        let identity = try model.identity()
        self.source = source
        self.calibration = calibration
        self.identity = identity
        measurer = try ModelMeasurer(
            model, data: data, text: try calibration?.read(model.family).examples ?? data.examples,
            options: options
        ) {
            try Experiment(model, identity, source: source, calibration: calibration, fit: options.fit)
        }
    }

    /// The sublayers and their matrices.
    package var layout: ModelLayout { measurer.layout }

    /// Sweeps every sublayer, alone and by type, under every candidate.
    ///
    /// - Parameters: as of `ModelMeasurer.sweep`.
    package func sweep(
        _ options: SweepOptions, progress: (Int, Int) -> Void = { _, _ in },
        cost: (SweepCost) -> Void = { _ in }
    ) throws -> SensitivityTable {
        let full = try measurer.score(measurer.network)
        let cells = try measurer.sweep(options, progress: progress, cost: cost)
        var table = SensitivityTable(
            model: identity, layout: layout,
            provenance: try source.provenance(
                sentences: measurer.data.examples.count, metric: full.signature, calibration: calibration),
            fit: measurer.options.fit, candidates: options.candidates,
            fullPrecision: LossMeasurement(
                try measurer.cells.evaluator.referenceLosses(), metric: full.values.first?.value),
            byType: cells.byType, bySublayer: cells.bySublayer, workload: meanWorkload)
        table.proxy = options.proxy
        return table
    }

    /// Plans for a target, from the table of a sweep.
    ///
    /// - Parameters: as of `Planner.plan`.
    /// - Throws: `PlanError` where the table is of another model, and what `PlanSpace` and `Planner` throw.
    package func plan(
        _ table: SensitivityTable, target: PlanTarget, effort: Int = 1000,
        progress: (PlanningRound) -> Void = { _ in }
    ) throws -> PlanningResult {
        guard table.model == identity else {
            throw PlanError.otherModel(expected: table.model, got: identity)
        }
        let space = try space(target, candidates: table.candidates)
        return try Planner(
            measurer, table, space: space, prefersLessMetric: measurer.model.family.task.prefersLessMetric
        )
        .plan(effort: effort, progress: progress)
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
