import BitplanTensors
import Foundation

/// The files in a ZIP archive, as ranges of its bytes: stored entries only, as PyTorch and NumPy write them;
/// ZIP64 too.
///
/// Nothing is unpacked, checksums are not compared. Not read: compressed, encrypted or split archives.
/// - Source: PKWARE's APPNOTE, sections 4.3.6 to 4.5.3.
struct ZipArchive: Sendable {
    /// Where they lie, by name.
    let entries: [String: Range<Int>]

    /// Reads the central directory.
    ///
    /// - Throws: `FileError` where the file is no ZIP archive, is damaged, or holds what is not read here.
    init(_ data: Data, _ file: URL) throws(FileError) {
        let bytes = LittleEndianBytes(data, file, of: "archive")
        var entries: [String: Range<Int>] = [:]
        var (position, count) = try ZipArchive.directory(bytes)
        while count > 0 {
            guard try bytes.integer(position, 4) == 0x0201_4b50 else {
                throw FileError(file, "the directory of the archive is damaged at byte \(position)")
            }
            let entry = try ZipArchive.entry(bytes, position)
            guard entries.updateValue(entry.range, forKey: entry.name) == nil else {
                throw FileError(file, "'\(entry.name)' is in the archive twice")
            }
            position = entry.next
            count -= 1
        }
        self.entries = entries
    }

    /// Where the central directory starts, and how many entries it has.
    private static func directory(_ bytes: LittleEndianBytes) throws(FileError) -> (position: Int, count: Int)
    {
        let size = bytes.data.count
        var end = size - 22
        // A comment of at most 65,535 bytes may follow the end record.
        let lowest = max(0, size - 22 - 0xFFFF)
        while end >= lowest, try bytes.integer(end, 4) != 0x0605_4b50 { end -= 1 }
        guard end >= lowest else {
            throw FileError(bytes.file, "is no ZIP archive: expected what torch.save or numpy.savez writes")
        }
        let count = try bytes.integer(end + 10, 2)
        let position = try bytes.integer(end + 16, 4)
        guard count == 0xFFFF || position == 0xFFFF_FFFF else { return (position, count) }
        guard end >= 20, try bytes.integer(end - 20, 4) == 0x0706_4b50 else { return (position, count) }
        let record = try bytes.integer(end - 12, 8)
        guard try bytes.integer(record, 4) == 0x0606_4b50 else {
            throw FileError(bytes.file, "the ZIP64 end record is damaged at byte \(record)")
        }
        return (try bytes.integer(record + 48, 8), try bytes.integer(record + 32, 8))
    }

    /// The entry of the central directory at `position`, and where the next one stands.
    private static func entry(
        _ bytes: LittleEndianBytes, _ position: Int
    ) throws(FileError) -> (name: String, range: Range<Int>, next: Int) {
        let nameLength = try bytes.integer(position + 28, 2)
        let extraLength = try bytes.integer(position + 30, 2)
        let commentLength = try bytes.integer(position + 32, 2)
        let name = String(decoding: try bytes.slice(position + 46, nameLength), as: UTF8.self)
        guard try bytes.integer(position + 8, 2) & 1 == 0 else {
            throw FileError(bytes.file, "'\(name)' is encrypted")
        }
        let method = try bytes.integer(position + 10, 2)
        guard method == 0 else {
            throw FileError(bytes.file, "'\(name)' is compressed (method \(method)): expected stored entries")
        }
        var packed = try bytes.integer(position + 20, 4)
        var size = try bytes.integer(position + 24, 4)
        var header = try bytes.integer(position + 42, 4)
        // ZIP64: what does not fit stands in an extra field, in this order, only as far as it is needed.
        var extra = position + 46 + nameLength
        let extraEnd = extra + extraLength
        while extra + 4 <= extraEnd {
            let length = try bytes.integer(extra + 2, 2)
            if try bytes.integer(extra, 2) == 1 {
                var field = extra + 4
                func wide(_ value: inout Int) throws(FileError) {
                    guard value == 0xFFFF_FFFF else { return }
                    guard field + 8 <= extra + 4 + length else {
                        throw FileError(bytes.file, "'\(name)': a ZIP64 size is missing")
                    }
                    value = try bytes.integer(field, 8)
                    field += 8
                }
                try wide(&size)
                try wide(&packed)
                try wide(&header)
            }
            extra += 4 + length
        }
        guard packed == size else {
            throw FileError(bytes.file, "'\(name)': \(packed) bytes stored for \(size)")
        }
        guard try bytes.integer(header, 4) == 0x0403_4b50 else {
            throw FileError(bytes.file, "'\(name)': no entry at byte \(header)")
        }
        let start = header + 30 + (try bytes.integer(header + 26, 2)) + (try bytes.integer(header + 28, 2))
        guard start <= bytes.data.count, size <= bytes.data.count - start else {
            throw FileError(
                bytes.file,
                "'\(name)': \(size) bytes from \(start) reach beyond the \(bytes.data.count) of the file")
        }
        return (name, start..<start + size, extraEnd + commentLength)
    }
}
