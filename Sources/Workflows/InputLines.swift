import BitplanTensors
import Foundation

/// The lines of standard input as they come, without their ends (a line feed, or a carriage return and one). All else is kept, as
/// `TextFile.lines` keeps it.
struct InputLines {
    private var bytes = Data()
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)
    private var count = 0

    /// The next line; nil at the end.
    ///
    /// - Parameter beforeWaiting: called before a wait for input that is not there yet.
    /// - Throws: `FileError` where standard input cannot be read or a line is not UTF-8, and what `beforeWaiting` throws.
    mutating func next(beforeWaiting: () throws -> Void) throws -> String? {
        var end = bytes.firstIndex(of: 0x0A)
        while end == nil {
            let searched = bytes.count
            if !Self.isReadable { try beforeWaiting() }
            // What a terminal or a pipe has, which may be less than a line.
            let got = read(STDIN_FILENO, &chunk, chunk.count)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else {
                throw FileError("standard input", "cannot be read: \(String(cString: strerror(errno)))")
            }
            if got == 0 { break }
            // Without the lines that were taken.
            if bytes.startIndex > 0 { bytes = Data(bytes) }
            bytes += chunk[..<got]
            end = bytes.dropFirst(searched).firstIndex(of: 0x0A)
        }
        guard end != nil || !bytes.isEmpty else { return nil }
        var line = bytes[..<(end ?? bytes.endIndex)]
        bytes = bytes[line.endIndex...].dropFirst()
        if end != nil, line.last == 0x0D { line.removeLast() }
        count += 1
        guard let text = String(validating: line, as: UTF8.self) else {
            throw FileError("standard input", "line \(count) is not UTF-8")
        }
        return text
    }

    /// Whether a read of standard input returns at once: there are bytes, or it has ended.
    private static var isReadable: Bool {
        var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        // 0 where a read would wait, -1 where the system does not say: then it may.
        return poll(&descriptor, 1, 0) > 0
    }
}
