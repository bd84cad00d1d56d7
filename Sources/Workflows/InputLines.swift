import Foundation
import Tensors

/// The lines of standard input as they come, without their ends (a line feed, or a carriage return and one).
struct InputLines {
    private var bytes = Data()
    private var count = 0

    /// The next line; nil at the end.
    ///
    /// - Throws: `FileError` where a line is not UTF-8.
    mutating func next() throws(FileError) -> String? {
        var searched = bytes.startIndex
        var end = bytes.firstIndex(of: 0x0A)
        while end == nil {
            searched = bytes.endIndex
            // What a terminal or a pipe has, which may be less than a line.
            let more = FileHandle.standardInput.availableData
            guard !more.isEmpty else { break }
            bytes += more
            end = bytes[searched...].firstIndex(of: 0x0A)
        }
        guard end != nil || !bytes.isEmpty else { return nil }
        var line = bytes[..<(end ?? bytes.endIndex)]
        if end != nil, line.last == 0x0D { line.removeLast() }
        bytes = bytes[((end ?? bytes.endIndex - 1) + 1)...]
        count += 1
        guard let text = String(data: line, encoding: .utf8) else {
            throw FileError("standard input", "line \(count) is not UTF-8")
        }
        return text
    }
}
