import BitplanEvaluators
import BitplanMeasurements
import BitplanPlanning
import BitplanSensitivity
import PlanFormat

extension EvaluatorMeasurer: PlanMeasurer {}

/// A model that a process of the user's measures: what `MeasuredModel` is for a model directory.
package struct MeasuredEvaluator: PlannedFromTables, Sendable {
    /// What measures it.
    package let measurer: EvaluatorMeasurer

    /// Starts the evaluator.
    ///
    /// - Throws: `EvaluatorError`; `FileError` of the store.
    package init(_ options: EvaluatorOptions, unit: PlanUnit, store: MeasurementStore?) throws {
        measurer = try EvaluatorMeasurer(options, unit: unit, store: store)
    }

    /// The schemes that are tried where a user names none: those that the evaluator names, else bitplan's
    /// own.
    package var candidates: [Scheme] { measurer.description.candidates ?? Scheme.automatic }

    private func sweep(_ options: SweepOptions) throws -> Sweep<EvaluatorMeasurer> {
        if let known = measurer.description.candidates,
            let other = options.candidates.first(where: { !known.contains($0) })
        {
            let names = known.map(\.description).joined(separator: ", ")
            throw UsageError("the evaluator does not measure '\(other)': it measures \(names)")
        }
        return Sweep(
            measurer, candidates: options.candidates, precision: options.precision,
            groupCandidates: options.groupCandidates)
    }

    /// Measures every sublayer, alone and by type, under every candidate.
    ///
    /// - Parameters: as of `Sweep.run`.
    /// - Throws: `UsageError` where the evaluator does not measure a candidate, `EvaluatorError`, `FileError`
    ///   of the store.
    package func sweep(
        _ options: SweepOptions, progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> SensitivityTable {
        let said = measurer.description
        let metricCells = said.data.metric == nil ? 0 : options.metricCells
        let sweep = try sweep(options)
        // It fails before the long work where the evaluator does not agree with itself.
        let reference = try measurer.referenceLosses()
        let cells = try sweep.run(
            metric: { try measurer.metric(of: $0) }, metricCells: metricCells, progress: progress)
        return SensitivityTable(
            model: said.model, layout: measurer.layout,
            provenance: Provenance(
                tool: toolVersion, dataSHA256: said.data.sha256, sentences: reference.count,
                metric: said.data.metric?.rawValue),
            fit: said.codeFit, candidates: options.candidates,
            fullPrecision: LossMeasurement(
                reference,
                metric: said.data.metric == nil ? nil : try measurer.metric(of: measurer.fullPrecision)),
            byType: cells.byType, bySublayer: cells.bySublayer, workload: said.workload)
    }

    /// Measures a part of a sweep's cells into the store.
    ///
    /// - Returns: how many cells the part has.
    package func measure(
        _ shard: Shard, of options: SweepOptions, progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> Int {
        let metricCells = measurer.description.data.metric == nil ? 0 : options.metricCells
        return try sweep(options).measure(
            shard, metric: { if metricCells > 0 { _ = try measurer.metric(of: $0) } }, progress: progress)
    }

    package func planner<Measurer: PlanMeasurer>(
        _ table: SensitivityTable, _ target: PlanTarget, _ measurer: Measurer
    ) throws -> Planner<Measurer> {
        let said = self.measurer.description
        guard table.model == said.model else {
            throw PlanError.otherModel(expected: table.model, got: said.model)
        }
        guard table.fit == said.codeFit else {
            throw UsageError(
                "codes of the table are fitted as '\(table.fit.rawValue)', the evaluator's as '\(said.codeFit.rawValue)'"
            )
        }
        let space = try PlanSpace(
            target, layout: self.measurer.layout, modelType: said.model.type, candidates: table.candidates,
            workload: said.workload)
        return try Planner(
            measurer, table, space: space, prefersLessMetric: said.data.metric?.prefersLess ?? false)
    }
}
