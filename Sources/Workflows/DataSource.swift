import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat

/// Files that a model is measured on.
package struct DataSource: Sendable, Codable, Hashable {
    /// The files, in the order that the family expects.
    package let files: [URL]
    /// Only the first items.
    package let limit: Int?
    /// How a language model reads them; its own way where nil.
    package let windows: TextWindows?
    /// What KL is measured on, where the data have references; without references it is the model's own
    /// outputs in any case.
    package var targets: KLTargets

    /// The items of these files.
    package init(
        files: [URL], limit: Int? = nil, windows: TextWindows? = nil, targets: KLTargets = .references
    ) {
        self.files = files
        self.limit = limit
        self.windows = windows
        self.targets = targets
    }

    /// Reads and tokenizes the items.
    ///
    /// - Throws: `UsageError` for a limit below 1, and what the family says of the files.
    package func read<Family: ModelFamily>(_ family: Family) throws -> Dataset<Family.Net.Example> {
        if let limit, limit < 1 { throw UsageError("limit of the data: expected at least 1, got \(limit)") }
        return try family.task.dataset(files, limit: limit, windows: windows)
    }

    /// SHA-256 of the files' contents in their order, and of how much is read of them and how, own outputs in
    /// place of references included; the files' names do not count.
    package func contentHash() throws -> String {
        let hash = ContentHash()
        for (place, file) in files.enumerated() { hash.add("file \(place)", try FileError.read(file)) }
        if let limit { hash.add("limit", Data("\(limit)".utf8)) }
        if let windows { hash.add("windows", Data(windows.signature.utf8)) }
        if targets == .own { hash.add("targets", Data(targets.rawValue.utf8)) }
        return hash.finish()
    }

    func provenance(
        sentences: Int, metric: String?, calibration: DataSource?, targets: KLTargets?
    ) throws -> Provenance {
        Provenance(
            tool: toolVersion, dataSHA256: try contentHash(), sentences: sentences,
            metric: metric,
            calibrationSHA256: try calibration.map { try $0.contentHash() }, targets: targets)
    }
}
