import BitplanTensors
import Foundation

/// Little-endian numbers of a file at checked places.
struct LittleEndianBytes {
    let data: Data
    let file: URL
    /// What the file is, for errors.
    private let name: String

    /// The bytes of a file that is a `name`: `archive`.
    init(_ data: Data, _ file: URL, of name: String) {
        self.data = data
        self.file = file
        self.name = name
    }

    /// The unsigned number of `width` bytes at `position`.
    ///
    /// - Throws: `FileError` where the file ends before, or the number is no `Int`.
    func integer(_ position: Int, _ width: Int) throws(FileError) -> Int {
        let bytes = try slice(position, width)
        let value = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard let number = Int(exactly: value) else {
            throw FileError(file, "a size of \(value) at byte \(position) of the \(name)")
        }
        return number
    }

    /// `count` bytes at `position`.
    ///
    /// - Throws: `FileError` where the file ends before.
    func slice(_ position: Int, _ count: Int) throws(FileError) -> Data {
        guard position >= 0, count >= 0, position <= data.count, count <= data.count - position else {
            throw FileError(
                file,
                "the \(name) is truncated: \(count) bytes needed at \(position), the file has \(data.count)")
        }
        let start = data.startIndex + position
        return data[start..<start + count]
    }
}
