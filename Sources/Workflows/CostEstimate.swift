import BitplanEncoding
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
    ///   - limit: what plans have to fit in, where uniform ones that do not are not measured.
    package static func estimate(
        _ directory: URL, source: DataSource, calibration: DataSource? = nil, options: MeasuringOptions,
        sweep: SweepOptions, sweeps: Bool = true, effort: Int? = nil, limit: SizeTarget? = nil
    ) throws -> CostEstimate {
        var sweep = sweep
        sweep.adaptsToModel = sweeps
        let timed = try TimedModel<Family>(
            directory, source: source, calibration: calibration, options: options, sweep: sweep)
        let candidates = timed.sweep.candidates
        let (units, layout, places) = (timed.units, timed.layout, timed.places)
        let items = timed.data.examples.count
        let threads = Double(max(1, options.task.threads))

        var firsts: [Int] = []
        var cells = 0
        var kept = 0
        if sweeps, sweep.proxy == nil {
            let assignments = layout.sweepAssignments(
                candidates, groupCandidates: sweep.groupCandidates)
            let records = try options.store.map { store in
                try StoredExperiment(
                    try Experiment(
                        timed.model, try timed.reader.identity(), source: source, calibration: calibration,
                        fit: options.fit),
                    in: store)
            }
            for assignment in assignments {
                cells += 1
                if try records?.cell(assignment).items.count ?? 0 >= items {
                    kept += 1
                } else {
                    firsts.append(options.isNaive ? 0 : timed.firstChange(assignment))
                }
            }
        } else if sweeps, sweep.proxy == .fisher {
            // Two probes a matrix over a part of the items.
            let part =
                Double(min(ModelMeasurer<Family>.curvatureItems, items)) / Double(max(1, items))
            for (index, sublayer) in timed.network.layout.sublayers.enumerated() {
                let probes = 2 * sublayer.matrices.count
                cells += probes
                firsts += [Int](repeating: index, count: Int((Double(probes) * part).rounded(.up)))
            }
        }
        var measuring = units.measuring(from: firsts)
        var metrics = 1
        if sweeps { metrics += min(sweep.metricCells, cells - kept) }
        var packing = 0.0
        var memory = units.peakMemoryBytes
        if let effort {
            cells += effort
            let mean = places.reduce(0) { $0 + units.measuring(from: $1) } / Double(places.count)
            if options.fit.isCalibrated {
                // Whole plans, the uniform ones and others to start from included, and the written plan's
                // steps up and down. Those of the search begin as another did, half of their way on average.
                let whole = timed.network.layout
                let uniform = whole.uniformCandidates(candidates).filter { scheme in
                    let bytes = whole.sublayers.reduce(0) { $0 + $1.sizeInBytes(scheme) }
                    return limit.map { bytes <= $0.bytes(of: whole) } ?? true
                }
                let starts = Double(uniform.count + 2)
                let searched = Double(min(effort, PackedPlanner<ModelMeasurer<Family>>.usualMeasurements))
                packing = (starts + searched / 2) * units.packing
                measuring += (starts + searched) * units.evaluation
                memory += PlanEncoder<Family>.activationBytes(
                    timed.network.layout, stateBytes: units.textStateBytes)
                // Plans that are measured at a time, decoded.
                memory +=
                    ModelMeasurer<Family>.plansAtATime(layout, threads: options.task.threads)
                    * layout.fullPrecisionBytes
                if effort >= 2 * places.count { measuring += 2 * Double(places.count) * mean }
            } else {
                measuring += Double(effort) * mean
            }
            metrics += 5
        }
        let parts = [
            "reference": units.reference, "calibration": units.calibration,
            "encoding": units.encodingAll + packing, "measuring": measuring,
            "metric": try timed.metricSeconds() * Double(metrics),
        ]
        return CostEstimate(
            cells: cells, keptCells: kept, items: items, evaluationCPUSeconds: units.evaluation,
            cpuSeconds: parts, seconds: parts.values.reduce(0, +) / threads,
            peakMemoryBytes: memory)
    }
}
