import Crypto
import Foundation
import Models
import PlanFormat
import Tensors

/// Files that a model is measured on.
public struct DataSource: Sendable {
    /// The files, in the order that the family expects.
    public let files: [URL]
    /// Only the first items.
    public let limit: Int?
    /// How a language model reads them; its own way where nil.
    public let windows: TextWindows?

    /// The items of these files.
    public init(files: [URL], limit: Int? = nil, windows: TextWindows? = nil) {
        self.files = files
        self.limit = limit
        self.windows = windows
    }

    /// Reads and tokenizes the items.
    ///
    /// - Throws: `UsageError` for a limit below 1, and what the family says of the files.
    public func read<Family: ModelFamily>(_ family: Family) throws -> Dataset<Family.Net.Example> {
        if let limit, limit < 1 { throw UsageError("limit of the data: expected at least 1, got \(limit)") }
        return try family.dataset(files, limit: limit, windows: windows)
    }

    /// SHA-256 of the bytes of the files, one after the other, and of how much is read of them and how.
    func contentHash() throws -> String {
        var hash = SHA256()
        for file in files { hash.update(data: try FileError.read(file)) }
        if let limit { hash.update(data: Data("first \(limit)".utf8)) }
        if let windows { hash.update(data: Data(windows.signature.utf8)) }
        return hash.finalize().hexadecimal
    }

    func provenance(sentences: Int, metric: String, calibration: DataSource?) throws -> Provenance {
        Provenance(
            tool: toolVersion, dataSHA256: try contentHash(), sentences: sentences,
            metric: metric,
            calibrationSHA256: try calibration.map { try $0.contentHash() })
    }
}
