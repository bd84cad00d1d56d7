import Foundation

/// Writing so that nothing half-written is ever left behind: to a temporary name beside the target, then renamed.
public enum AtomicWrite {
    /// Writes `data` to `file`, making its directory where it is missing.
    public static func file(_ data: Data, to file: URL) throws(FileError) {
        try stream(to: file) { handle in try handle.write(contentsOf: data) }
    }

    /// Writes `text` as UTF-8.
    public static func file(_ text: String, to file: URL) throws(FileError) {
        try self.file(Data(text.utf8), to: file)
    }

    /// Opens a temporary file for `body` and renames it to `file` once `body` has returned; removes it where `body` throws.
    public static func stream(to file: URL, _ body: (FileHandle) throws -> Void) throws(FileError) {
        let manager = FileManager.default
        let directory = file.deletingLastPathComponent()
        let temporary = directory.appending(
            path: ".\(file.lastPathComponent).\(ProcessInfo.processInfo.processIdentifier).part")
        do {
            try manager.createDirectory(at: directory, withIntermediateDirectories: true)
            guard manager.createFile(atPath: temporary.path, contents: nil) else {
                throw FileError(file, "cannot be written")
            }
            let handle = try FileHandle(forWritingTo: temporary)
            do {
                try body(handle)
                try handle.close()
            } catch {
                try? handle.close()
                throw error
            }
            try rename(temporary, to: file)
        } catch {
            try? manager.removeItem(at: temporary)
            throw error as? FileError ?? FileError(file, "cannot be written: \(error.localizedDescription)")
        }
    }

    /// Fills a temporary directory and renames it to `directory`, which is replaced where it exists.
    public static func directory(_ directory: URL, _ body: (URL) throws -> Void) throws {
        let manager = FileManager.default
        let parent = directory.deletingLastPathComponent()
        let suffix = ".\(ProcessInfo.processInfo.processIdentifier).part"
        let temporary = parent.appending(path: "." + directory.lastPathComponent + suffix)
        do {
            try manager.createDirectory(at: temporary, withIntermediateDirectories: true)
            try body(temporary)
            if manager.fileExists(atPath: directory.path) {
                let old = parent.appending(path: "." + directory.lastPathComponent + suffix + ".old")
                try manager.moveItem(at: directory, to: old)
                try manager.moveItem(at: temporary, to: directory)
                try manager.removeItem(at: old)
            } else {
                try manager.moveItem(at: temporary, to: directory)
            }
        } catch {
            try? manager.removeItem(at: temporary)
            throw error
        }
    }

    private static func rename(_ source: URL, to target: URL) throws {
        guard Foundation.rename(source.path, target.path) == 0 else {
            throw FileError(target, "cannot be written: \(String(cString: strerror(errno)))")
        }
    }
}
