import CBitplanFiles
import Foundation

/// Writing so that nothing half-written is ever left behind, even where the machine stops: to a temporary
/// name beside the target, then to the disk, then renamed.
package enum AtomicWrite {
    /// Writes `data` to `file`, making its directory where it is missing.
    package static func file(_ data: Data, to file: URL) throws(FileError) {
        try stream(to: file) { handle in try handle.write(contentsOf: data) }
    }

    /// Writes `text` as UTF-8.
    package static func file(_ text: String, to file: URL) throws(FileError) {
        try self.file(Data(text.utf8), to: file)
    }

    /// Opens a temporary file for `body` and renames it to `file` once `body` has returned; removes it, and
    /// the directories made for it, where `body` throws.
    package static func stream(to file: URL, _ body: (FileHandle) throws -> Void) throws(FileError) {
        let manager = FileManager.default
        let directory = file.deletingLastPathComponent()
        let temporary = temporary(for: file)
        removeLeft(of: file)
        let missing = missingDirectories(directory)
        do {
            try manager.createDirectory(at: directory, withIntermediateDirectories: true)
            let handle = try create(temporary, for: file)
            do {
                try body(handle)
                try handle.synchronize()
                try handle.close()
            } catch {
                try? handle.close()
                throw error
            }
            try rename(temporary, to: file)
            synchronize(directory)
        } catch {
            try? manager.removeItem(at: temporary)
            remove(missing)
            throw error as? FileError ?? FileError(file, "cannot be written: \(FileError.reason(error))")
        }
    }

    /// Checks that `file` is none of the files that the result comes from.
    ///
    /// - Throws: `FileError` where it is, by whatever path or link.
    package static func check(_ file: URL, isNoneOf inputs: [URL]) throws(FileError) {
        func identity(_ file: URL) -> [UInt64]? {
            var status = stat()
            guard stat(file.standardizedFileURL.path, &status) == 0 else { return nil }
            return [UInt64(status.st_dev), UInt64(status.st_ino)]
        }
        guard let own = identity(file) else { return }
        for input in inputs where identity(input) == own {
            throw FileError(file, "is read as input: expected another file to write")
        }
    }

    /// Checks that `file` can be written and is none of `inputs`, before long work whose result goes there;
    /// leaves nothing behind.
    package static func checkWritable(_ file: URL, inputs: [URL] = []) throws(FileError) {
        try check(file, isNoneOf: inputs)
        let manager = FileManager.default
        var isDirectory: ObjCBool = false
        if manager.fileExists(atPath: file.path, isDirectory: &isDirectory), isDirectory.boolValue {
            throw FileError(file, "cannot be written: is a directory")
        }
        let directory = file.deletingLastPathComponent()
        let missing = missingDirectories(directory)
        defer { remove(missing) }
        let probe = temporary(for: file)
        do {
            try manager.createDirectory(at: directory, withIntermediateDirectories: true)
        } catch {
            throw FileError(file, "cannot be written: \(FileError.reason(error))")
        }
        let handle = try create(probe, for: file)
        try? handle.close()
        try? manager.removeItem(at: probe)
    }

    /// Fills a temporary directory and renames it to `directory`, which is replaced where it exists.
    ///
    /// - Throws: `FileError` where the directory cannot be written, and what `body` throws, files in it by
    ///   the names that they would have had; nothing is left behind then.
    package static func directory(_ directory: URL, _ body: (URL) throws -> Void) throws {
        let manager = FileManager.default
        let directory = directory.standardizedFileURL
        let parent = directory.deletingLastPathComponent()
        let missing = missingDirectories(parent)
        let temporary = temporary(for: directory)
        removeLeft(of: directory)
        do {
            try writing(directory) {
                try manager.createDirectory(at: temporary, withIntermediateDirectories: true)
            }
            try body(temporary)
            try writing(directory) {
                guard manager.fileExists(atPath: directory.path) else {
                    return try rename(temporary, to: directory)
                }
                try replace(directory, by: temporary)
                // What was replaced has the temporary name now; that it goes is not part of the result.
                try? manager.removeItem(at: temporary)
            }
            synchronize(parent)
        } catch {
            try? manager.removeItem(at: temporary)
            remove(missing)
            // The user knows the directory by its own name.
            guard let error = error as? FileError, error.path.hasPrefix(temporary.path) else { throw error }
            throw FileError(directory.path + error.path.dropFirst(temporary.path.count), error.message)
        }
    }

    /// The name beside a file or directory that it has while this process writes it.
    package static func temporary(for target: URL) -> URL {
        let name = ".\(target.lastPathComponent).\(host)-\(ProcessInfo.processInfo.processIdentifier).part"
        return target.deletingLastPathComponent().appending(path: name)
    }

    /// Removes what processes of this machine that were killed have left of writing `target`.
    package static func removeLeft(of target: URL) {
        let directory = target.deletingLastPathComponent()
        let (head, tail) = (".\(target.lastPathComponent).\(host)-", ".part")
        for name in (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        where name.hasPrefix(head) && name.hasSuffix(tail) {
            guard let process = Int32(name.dropFirst(head.count).dropLast(tail.count)), process > 0,
                kill(process, 0) != 0, errno == ESRCH
            else { continue }
            try? FileManager.default.removeItem(at: directory.appending(path: name))
        }
    }

    /// This machine's name, by which the processes of several that share a disk are told apart.
    private static let host: String = {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()

    /// Makes an empty file whose bytes become those of `file`, which errors name.
    private static func create(_ temporary: URL, for file: URL) throws(FileError) -> FileHandle {
        let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
        guard descriptor >= 0 else {
            throw FileError(file, "cannot be written: \(String(cString: strerror(errno)))")
        }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// Gives two directories each other's name: at once, where the file system can, so that one of them is
    /// there at any time; else one after the other.
    private static func replace(_ directory: URL, by temporary: URL) throws {
        guard bitplan_exchange(temporary.path, directory.path) != 0 else { return }
        guard [EINVAL, ENOSYS, ENOTSUP].contains(errno) else { return try rename(temporary, to: directory) }
        let old = URL(fileURLWithPath: temporary.path + ".old")
        try rename(directory, to: old)
        do {
            try rename(temporary, to: directory)
        } catch {
            try? rename(old, to: directory)
            throw error
        }
        try? rename(old, to: temporary)
    }

    /// Has the names in a directory reach the disk; file systems that do not do so keep the order anyway.
    private static func synchronize(_ directory: URL) {
        let descriptor = open(directory.path, O_RDONLY)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// Turns what the file system says into one line about `file`.
    private static func writing(_ file: URL, _ body: () throws -> Void) throws(FileError) {
        do {
            try body()
        } catch let error as FileError {
            throw error
        } catch {
            throw FileError(file, "cannot be written: \(FileError.reason(error))")
        }
    }

    /// The directories that have to be made for `directory`, deepest first.
    private static func missingDirectories(_ directory: URL) -> [URL] {
        var missing: [URL] = []
        var current = directory.standardizedFileURL
        while current.path != "/", !FileManager.default.fileExists(atPath: current.path) {
            missing.append(current)
            current = current.deletingLastPathComponent()
        }
        return missing
    }

    /// Removes directories that were made for nothing, unless something else has come to lie in them.
    private static func remove(_ directories: [URL]) {
        for directory in directories { rmdir(directory.path) }
    }

    private static func rename(_ source: URL, to target: URL) throws {
        guard Foundation.rename(source.path, target.path) == 0 else {
            throw FileError(target, "cannot be written: \(String(cString: strerror(errno)))")
        }
    }
}
