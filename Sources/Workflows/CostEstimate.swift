import BitplanMeasurements
import BitplanModels
import BitplanPlanning
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat

/// What a sweep, or planning after it, will take, said before it starts.
package struct CostEstimate: Codable, Sendable {
    /// Measurements at most.
    package let cells: Int
    /// Those of them that the store has.
    package let keptCells: Int
    /// Items of the data.
    package let items: Int
    /// One run of the model over all items and its scores, in CPU seconds.
    package let evaluationCPUSeconds: Double
    /// CPU seconds by part: reference, calibration, encoding, measuring, metric. A search of plans of
    /// calibrated codes counts as one of usual length.
    package let cpuSeconds: [String: Double]
    /// Seconds, with the threads that were asked for and nothing else on the machine.
    package let seconds: Double
    /// Most bytes of memory, about.
    package let peakMemoryBytes: Int
}

extension MeasuredModel {
    /// Estimates a sweep, or with `effort` planning in context too, by timing the parts on a few items.
    ///
    /// - Parameters: as of `init` and `sweep`; `effort` are the measurements in context, nil for none.
    ///   - sweeps: whether the table is still to be made.
    package static func estimate(
        _ directory: URL, source: DataSource, calibration: DataSource? = nil, options: MeasuringOptions,
        sweep: SweepOptions, sweeps: Bool = true, effort: Int? = nil
    ) throws -> CostEstimate {
        let candidates = sweep.candidates
        let model = try Model<Family>(directory: directory, languages: options.task.languages)
        let reader = KLDataReader(model, options: options.task, store: options.store)
        let data = try reader.read(source)
        let text = try calibration.map { try reader.read($0).examples } ?? data.examples
        let network = try reader.network()
        let examples = shuffled(data.examples)
        let units = try UnitCosts(
            model, network, examples: examples, text: text, candidates: candidates, fit: options.fit,
            splitsWeights: !options.isNaive, residentBytes: peakMemoryBytes)
        let threads = Double(max(1, options.task.threads))
        let layout = model.layout.divided(into: options.unit)
        let places = layout.places

        var firsts: [Int] = []
        var cells = 0
        var kept = 0
        if sweeps, sweep.proxy == nil {
            let assignments = layout.sweepAssignments(
                candidates, groupCandidates: sweep.groupCandidates)
            let records = try options.store.map { store in
                try StoredExperiment(
                    try Experiment(
                        model, try reader.identity(), source: source, calibration: calibration,
                        fit: options.fit),
                    in: store)
            }
            for assignment in assignments {
                cells += 1
                if try records?.cell(assignment).items.count ?? 0 >= examples.count {
                    kept += 1
                } else {
                    let changed = assignment.indices.filter { assignment[$0] != .fp32 }
                    firsts.append(options.isNaive ? 0 : changed.map { places[$0] }.min() ?? 0)
                }
            }
        } else if sweeps, sweep.proxy == .fisher {
            // Two probes a matrix over a part of the items.
            let part =
                Double(min(ModelMeasurer<Family>.curvatureItems, examples.count))
                / Double(max(1, examples.count))
            for (index, sublayer) in network.layout.sublayers.enumerated() {
                let probes = 2 * sublayer.matrices.count
                cells += probes
                firsts += [Int](repeating: index, count: Int((Double(probes) * part).rounded(.up)))
            }
        }
        var measuring = units.measuring(from: firsts)
        var metrics = 1
        if sweeps { metrics += min(sweep.metricCells, cells - kept) }
        var packing = 0.0
        if let effort {
            cells += effort
            let mean = places.reduce(0) { $0 + units.measuring(from: $1) } / Double(places.count)
            if options.fit.isCalibrated {
                // Whole plans, the uniform ones and others to start from included, and the written plan's
                // steps up and down.
                let plans = Double(
                    candidates.count + 2 + min(effort, PackedPlanner<ModelMeasurer<Family>>.usualMeasurements)
                )
                packing = plans * units.packing
                measuring += plans * units.evaluation
                if effort >= 2 * places.count { measuring += 2 * Double(places.count) * mean }
            } else {
                measuring += Double(effort) * mean
            }
            metrics += 5
        }
        let few = Dataset(
            examples: Array(data.examples.prefix(units.items)),
            references: Array(data.references.prefix(units.items)))
        let start = processSeconds()
        _ = try model.family.task.score(network, on: few, options: options.task)
        let metric =
            !data.hasReferences
            ? 0
            : (processSeconds() - start) * Double(examples.count) / Double(max(1, units.items))
                * Double(metrics)
        let parts = [
            "reference": units.reference, "calibration": units.calibration,
            "encoding": units.encoding.reduce(0, +) + packing, "measuring": measuring, "metric": metric,
        ]
        return CostEstimate(
            cells: cells, keptCells: kept, items: examples.count, evaluationCPUSeconds: units.evaluation,
            cpuSeconds: parts, seconds: parts.values.reduce(0, +) / threads,
            peakMemoryBytes: units.peakMemoryBytes)
    }
}
