import Foundation
import Models
import PlanFormat

/// Files that a model is measured on.
public struct DataSource: Sendable {
    /// The files, in the order that the family expects.
    public let files: [URL]
    /// Only the first items.
    public let limit: Int?

    /// The items of these files.
    public init(files: [URL], limit: Int? = nil) {
        self.files = files
        self.limit = limit
    }

    /// Reads and tokenizes the items.
    ///
    /// - Throws: `UsageError` for a limit below 1, and what the family says of the files.
    public func read<Family: ModelFamily>(_ family: Family) throws -> Dataset<Family.Net.Example> {
        if let limit, limit < 1 { throw UsageError("limit of the data: expected at least 1, got \(limit)") }
        return try family.dataset(files, limit: limit)
    }

    func provenance(sentences: Int, metric: String, calibration: DataSource?) throws -> Provenance {
        Provenance(
            tool: toolVersion, dataSHA256: try contentHash(of: files, limit: limit), sentences: sentences,
            metric: metric,
            calibrationSHA256: try calibration.map { try contentHash(of: $0.files, limit: $0.limit) })
    }
}
