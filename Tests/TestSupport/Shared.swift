import Foundation

/// Where the tests find files: the project's own fixtures, and developers' shared material beside the project.
public enum TestFiles {
    /// The project's root.
    public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// `../shared`, which only developers and CI have.
    public static let shared = root.deletingLastPathComponent().appending(path: "shared")

    /// Whether `../shared/<path>` exists; tests that need it are skipped elsewhere.
    public static func hasShared(_ path: String = "") -> Bool {
        FileManager.default.fileExists(atPath: shared.appending(path: path).path)
    }
}
