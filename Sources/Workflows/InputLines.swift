import BitplanTensors
import Foundation

/// The lines of standard input as they come, without their ends (a line feed, or a carriage return and one).
/// All else is kept, as `TextFile.lines` keeps it.
struct InputLines {
    private var bytes = Data()
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)
    private var count = 0
    private var isAtEnd = false
    /// Where the first line ends in `bytes`, as far as they were searched.
    private var end: Data.Index?

    /// The next line; nil at the end.
    ///
    /// - Throws: `FileError` where standard input cannot be read or a line is not UTF-8.
    mutating func next() throws(FileError) -> String? {
        while end == nil, !isAtEnd { try fill() }
        guard end != nil || !bytes.isEmpty else { return nil }
        var line = bytes[..<(end ?? bytes.endIndex)]
        bytes = bytes[line.endIndex...].dropFirst()
        if end != nil, line.last == 0x0D { line.removeLast() }
        end = bytes.firstIndex(of: 0x0A)
        count += 1
        guard let text = String(validating: line, as: UTF8.self) else {
            throw FileError("standard input", "line \(count) is not UTF-8")
        }
        return text
    }

    /// Whether `next` answers at once: a whole line is there, or the end is.
    ///
    /// - Throws: `FileError` where standard input cannot be read.
    mutating func isNextReady() throws(FileError) -> Bool {
        while end == nil, !isAtEnd {
            var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            guard poll(&descriptor, 1, 0) > 0 else { return false }
            try fill()
        }
        return true
    }

    /// Reads what a terminal or a pipe has, which may be less than a line.
    private mutating func fill() throws(FileError) {
        let searched = bytes.count
        let got = read(STDIN_FILENO, &chunk, chunk.count)
        if got < 0, errno == EINTR { return }
        guard got >= 0 else {
            throw FileError("standard input", "cannot be read: \(String(cString: strerror(errno)))")
        }
        isAtEnd = got == 0
        // Without the lines that were taken.
        if bytes.startIndex > 0 { bytes = Data(bytes) }
        bytes += chunk[..<got]
        end = bytes.dropFirst(searched).firstIndex(of: 0x0A)
    }
}
