import Foundation

/// What can be wrong with a file: one line that says which file, what was expected and what was found.
package struct FileError: Error, CustomStringConvertible, Equatable {
    /// The file's path as the caller gave it.
    package let path: String
    /// What was expected and what was found.
    package let message: String

    /// An error about `path`.
    package init(_ path: String, _ message: String) {
        self.path = path
        self.message = message
    }

    /// An error about a file.
    package init(_ file: URL, _ message: String) { self.init(file.path, message) }

    /// `path: message` on one line. Control characters of the file's own text are escaped.
    package var description: String {
        "\(path): \(message)".unicodeScalars.reduce(into: "") { line, scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: line += scalar.escaped(asASCII: true)
            default: line.unicodeScalars.append(scalar)
            }
        }
    }
}

extension FileError {
    /// What the file system says, in its own words: "No space left on device".
    package static func reason(_ error: any Error) -> String {
        let error = error as NSError
        let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
        if cause.domain == NSPOSIXErrorDomain {
            return String(cString: strerror(Int32(truncatingIfNeeded: cause.code)))
        }
        // What Foundation calls unknown is what it has no name for, foremost a failing disk.
        let unknown = [CocoaError.fileReadUnknown, .fileWriteUnknown].map(\.rawValue)
        return cause.domain == NSCocoaErrorDomain && unknown.contains(cause.code)
            ? "the system reports an error" : error.localizedDescription
    }

    /// Reads a whole file, mapped where that is safe.
    ///
    /// - Throws: `FileError` where the file is missing, a directory or unreadable.
    package static func read(_ file: URL) throws(FileError) -> Data {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: file.path, isDirectory: &isDirectory) else {
            throw FileError(file, "no such file")
        }
        guard !isDirectory.boolValue else { throw FileError(file, "expected a file, got a directory") }
        do {
            return try Data(contentsOf: file, options: .mappedIfSafe)
        } catch {
            throw FileError(file, "cannot be read: \(reason(error))")
        }
    }

    /// Reads a JSON object.
    ///
    /// - Throws: `FileError` where the file is missing or holds something else.
    package static func readObject(_ file: URL) throws(FileError) -> [String: Any] {
        let data = try read(file)
        let value: Any
        do {
            value = try JSONSerialization.jsonObject(with: data)
        } catch {
            throw FileError(file, "is not JSON (\(data.count) bytes)")
        }
        guard let object = value as? [String: Any] else {
            throw FileError(file, "expected a JSON object at the top")
        }
        return object
    }
}
