import BitplanLatency
import BitplanMeasurements
import BitplanModels
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat

/// What a sweep in parts (`--shard`), a machine each, will take, said before it starts.
package struct SweepPartsEstimate: Codable, Sendable {
    /// What one machine does.
    package struct Part: Codable, Sendable {
        /// Which part: `2/4`.
        package let shard: String
        /// Measurements.
        package let cells: Int
        /// CPU seconds by part: reference, calibration, encoding, measuring, metric.
        package let cpuSeconds: [String: Double]
        /// Bytes of the store that it sends.
        package let bytesSent: Int

        /// All CPU seconds.
        package var allSeconds: Double { cpuSeconds.values.reduce(0, +) }
    }

    /// The parts, in order.
    package let parts: [Part]
    /// CPU seconds of the run that finds the merged parts and writes the table.
    package let tableSeconds: Double
    /// Seconds until the table is there, with the threads that were asked for and nothing else on the
    /// machines: the longest part, and then the table.
    package let seconds: Double
    /// Most bytes of memory of a machine, about.
    package let peakMemoryBytes: Int
    /// Bytes of model and data that every machine needs.
    package let bytesReceived: Int
    /// Items of the data.
    package let items: Int
    /// How often a profiled machine does what this one does once; 1 without a profile.
    package let speed: Double

    /// Bytes that are moved between machines, stores included.
    package var bytesMoved: Int { parts.reduce(0) { $0 + bytesReceived + $1.bytesSent } }
}

extension MeasuredModel {
    /// Estimates a sweep in parts by timing what it is made of on a few items.
    ///
    /// Every machine opens the model and encodes what its own cells need, so that all parts together take
    /// longer than a sweep at once.
    ///
    /// - Parameters:
    ///   - count: how many machines there are, a part each.
    ///   - profile: of the machines; this one where nil. Their CPU seconds are those of this machine in the
    ///     ratio of the two machines' reference work.
    ///   - others: as of `estimate`.
    package static func estimate(
        parts count: Int, on profile: LatencyProfile?, _ directory: URL, source: DataSource,
        calibration: DataSource? = nil, options: MeasuringOptions, sweep: SweepOptions
    ) throws -> SweepPartsEstimate {
        let reference = try ReferenceWork()
        func sampleSpeed() { for _ in 0..<8 { _ = reference.ratio {} } }
        sampleSpeed()
        let timed = try TimedModel<Family>(
            directory, source: source, calibration: calibration, options: options, sweep: sweep)
        let metric = try timed.metricSeconds()
        sampleSpeed()
        let speed = profile.map { reference.medianSeconds / $0.machine.referenceSeconds } ?? 1
        let (units, layout) = (timed.units, timed.layout)
        let assignments = layout.sweepAssignments(
            timed.sweep.candidates, groupCandidates: timed.sweep.groupCandidates)
        let work = assignments.map { layout.work(from: timed.firstChange($0)) }
        let items = timed.data.examples.count
        let parts = (1...count).compactMap { Shard("\($0)/\(count)") }.map { shard in
            let cells = shard.share(of: work).map { assignments[$0] }
            var encoding: [String: Double] = [:]
            for assignment in cells {
                for (sublayer, scheme) in zip(layout.sublayers, assignment) {
                    for matrix in sublayer.matrices {
                        encoding["\(matrix.tensor) \(scheme)"] = units.encoding[scheme]?[matrix.tensor]
                    }
                }
            }
            let metrics = sweep.metricCells > 0 ? Double(cells.count) : 0
            return SweepPartsEstimate.Part(
                shard: shard.description, cells: cells.count,
                cpuSeconds: [
                    "reference": units.reference, "calibration": units.calibration,
                    "encoding": encoding.values.reduce(0, +),
                    "measuring": units.measuring(from: cells.map(timed.firstChange)),
                    "metric": metrics * metric,
                ].mapValues { $0 / speed },
                bytesSent: MeasurementStore.expectedBytes(
                    of: cells, items: items, isSketched: units.isSketched))
        }
        let table = (units.reference + units.calibration + metric) / speed
        let longest = parts.map(\.allSeconds).max() ?? 0
        return SweepPartsEstimate(
            parts: parts, tableSeconds: table,
            seconds: (longest + table) / Double(max(1, options.task.threads)),
            peakMemoryBytes: units.peakMemoryBytes,
            bytesReceived: try bytes(of: [directory] + source.files + (calibration?.files ?? [])),
            items: items, speed: speed)
    }

    /// Bytes of files, and of those that directories have.
    private static func bytes(of places: [URL]) throws -> Int {
        try places.reduce(0) { sum, place in
            let place = place.resolvingSymlinksInPath()
            let values = try place.resourceValues(forKeys: [.isDirectoryKey, .fileSizeKey])
            guard values.isDirectory == true else { return sum + (values.fileSize ?? 0) }
            return try sum
                + bytes(
                    of: FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil))
        }
    }
}
