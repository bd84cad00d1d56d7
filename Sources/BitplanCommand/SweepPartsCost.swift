import ArgumentParser
import BitplanModels
import BitplanReporting
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

/// A sweep whose cost is asked for before it is started: options as of `bitplan sweep`.
struct SweepPartsCost: ParsableArguments {
    @Flag(name: .customLong("sweep"), help: "Instead of plans: what a sweep takes, in parts on --machines.")
    var isAsked = false
    @Option(help: "With --sweep: how many machines measure a part each (sweep --shard).") var machines = 1
    @OptionGroup var data: DataFiles
    @OptionGroup var targets: KLTargetOptions
    @OptionGroup var sweep: SweepOptions
    @OptionGroup var calibration: CalibrationOptions
    @OptionGroup var task: TaskArguments

    func validate() throws {
        guard (1...65536).contains(machines) else {
            throw ValidationError("--machines: expected 1 to 65536, got \(machines)")
        }
        guard isAsked else {
            return try refuse(
                [
                    "--machines", "--data", "--limit", "--targets", "--context", "--stride", "--schemes",
                    "--unit", "--fit", "--signal", "--metric", "--metric-top", "--groups", "--no-groups",
                    "--precision", "--naive", "--calibration", "--calibration-limit", "--beams", "--threads",
                    "--batch", "--max-length", "--temperature", "--seed", "--source-language",
                    "--target-language",
                ], "needs --sweep")
        }
        try refuse(
            ["--plans", "--read", "--generate", "--measure", "--rounds"], "does not go with --sweep")
        try refuse(
            ["--precision", "--metric-top", "--signal", "--naive"],
            "does not go with --sweep: no part of a sweep does so (sweep --dry-run estimates it)")
        try data.validateGiven()
    }

    /// The estimate.
    ///
    /// - Parameter profile: of the machines; this one where nil.
    func estimate<F: ModelFamily>(
        _ family: F.Type, _ model: URL, on profile: LatencyProfile?
    ) throws -> SweepPartsEstimate {
        try MeasuredModel<F>.estimate(
            parts: machines, on: profile, model, source: data.source(targets.targets),
            calibration: calibration.source(data.windows), options: sweep.measuring(task.options, nil),
            sweep: sweep.cells)
    }
}

extension SweepPartsEstimate {
    /// The estimate as people read it.
    func text(threads: Int) -> String {
        let names = ["reference", "calibration", "encoding", "measuring", "metric"]
        var table = MarkdownTable(
            ["part", "cells"] + names.map { "\($0), CPU s" } + ["all, CPU s", "sent, kB"])
        for part in parts {
            table.add(
                [part.shard, grouped(part.cells)]
                    + names.map { fixed(part.cpuSeconds[$0] ?? 0, 1) }
                    + [fixed(part.allSeconds, 1), fixed(Double(part.bytesSent) / 1e3, 0)])
        }
        return """
            \(grouped(parts.reduce(0) { $0 + $1.cells })) measurements on \(grouped(items)) items, \(parts.count) machines at \(fixed(speed, 2)) times this one's speed
            time: about \(fixed(seconds, 0)) s on \(threads) free cores each; \(fixed(tableSeconds, 1)) CPU s of them write the table
            peak memory of a machine: about \(fixed(Double(peakMemoryBytes) / 1e6, 0)) MB
            moved: \(fixed(Double(bytesReceived) / 1e6, 1)) MB of model and data to each machine, \(fixed(Double(bytesMoved) / 1e6, 1)) MB in all

            \(table.text)
            """
    }
}
