import BitplanTensors
import Foundation

/// Text files with one item a line.
package enum TextFile {
    /// The lines of a UTF-8 file; a last line feed ends the last line, carriage returns before line feeds go.
    /// All else is kept, a byte-order mark at the beginning too.
    ///
    /// - Throws: `FileError` where the file is missing, empty or not UTF-8.
    package static func lines(_ file: URL) throws(FileError) -> [String] {
        let data = try FileError.read(file)
        guard let text = String(validating: data, as: UTF8.self) else {
            throw FileError(file, "is not UTF-8")
        }
        // Split by line feeds alone: other Unicode line separators may stand inside a sentence.
        var lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
            String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
        }
        if lines.last == "" { lines.removeLast() }
        guard !lines.isEmpty else { throw FileError(file, "is empty: expected at least one line") }
        return lines
    }
}
