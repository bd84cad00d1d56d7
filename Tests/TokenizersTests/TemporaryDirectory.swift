import Foundation

/// A directory that goes away with its owner.
final class TemporaryDirectory {
    let url: URL

    /// Holds copies of `files` of `source`.
    init(copying files: [String] = [], from source: URL? = nil) throws {
        url = FileManager.default.temporaryDirectory.appending(path: "bitplan-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        for file in files {
            guard let source else { break }
            try Data(contentsOf: source.appending(path: file)).write(to: url.appending(path: file))
        }
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: url.appending(path: name))
    }

    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: url.appending(path: name)), as: UTF8.self)
    }
}
