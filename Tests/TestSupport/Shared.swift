import Foundation

/// Where the tests find files: the project's own fixtures, and developers' shared material beside the
/// project.
package enum TestFiles {
    /// The project's root.
    package static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// `../shared`, which only developers and CI have.
    package static let shared = root.deletingLastPathComponent().appending(path: "shared")

    /// Whether `../shared/<path>` exists; tests that need it are skipped elsewhere.
    package static func hasShared(_ path: String = "") -> Bool {
        FileManager.default.fileExists(atPath: shared.appending(path: path).path)
    }
}
