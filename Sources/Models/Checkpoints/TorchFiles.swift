import BitplanTensors
import Foundation

/// The parts of a `pytorch_model.bin`: tensors as the pickle describes them, and where their storages lie in
/// the file.
struct TorchParts {
    let tensors: [String: StateDictPickle.Tensor]
    let storages: [String: Range<Int>]
}

/// What PyTorch 1.6 and later save: a ZIP archive of `<folder>/data.pkl` and `<folder>/data/<key>`.
enum TorchArchive {
    /// Finds the parts.
    ///
    /// - Throws: `FileError` where there is no archive, not one pickle, or numbers are stored with their high
    ///   bytes first.
    static func read(_ data: Data, _ file: URL) throws(FileError) -> TorchParts {
        let archive = try ZipArchive(data, file)
        let pickles = archive.entries.keys.filter { $0.hasSuffix("/data.pkl") }
        guard pickles.count == 1, let pickle = pickles.first, let range = archive.entries[pickle] else {
            throw FileError(file, "expected one data.pkl in the archive, got \(pickles.count)")
        }
        let folder = String(pickle.dropLast("data.pkl".count))
        if let order = archive.entries[folder + "byteorder"] {
            let name = String(decoding: data[order], as: UTF8.self)
            guard name == "little" else {
                throw FileError(file, "byte order '\(name)' is not supported: expected 'little'")
            }
        }
        let prefix = folder + "data/"
        var storages: [String: Range<Int>] = [:]
        for (name, range) in archive.entries where name.hasPrefix(prefix) {
            storages[String(name.dropFirst(prefix.count))] = range
        }
        return TorchParts(
            tensors: try StateDictPickle.tensors(data[range], file: file).content, storages: storages)
    }
}

/// What PyTorch saved before 1.6, and most OPUS-MT directories still hold: five pickles (a magic number, the
/// protocol, the machine, the state dict, the keys of its storages), then for every key a count and the
/// numbers.
///
/// - Source: `_legacy_save` in `torch/serialization.py`.
enum LegacyTorchFile {
    /// The pickles of the magic number 0x1950a86a20f9469cfc6c and of the protocol, 1001.
    private static let start: [UInt8] =
        [0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
        + [0x80, 0x02, 0x4D, 0xE9, 0x03, 0x2E]

    static func isLegacy(_ data: Data) -> Bool { data.starts(with: start) }

    /// Finds the parts.
    ///
    /// - Throws: `FileError` where a pickle or a storage is damaged, or numbers are stored with their high
    ///   bytes first.
    static func read(_ data: Data, _ file: URL) throws(FileError) -> TorchParts {
        let machine = try StateDictPickle.flags(data[(data.startIndex + start.count)...], file: file)
        guard machine.content["little_endian"] != false else {
            throw FileError(file, "byte order 'big' is not supported: expected 'little'")
        }
        let tensors = try StateDictPickle.tensors(data[machine.end...], file: file)
        let keys = try StateDictPickle.texts(data[tensors.end...], file: file)
        var sizes: [String: Int] = [:]
        for tensor in tensors.content.values { sizes[tensor.storage.key] = tensor.storage.type.sizeInBytes }
        var storages: [String: Range<Int>] = [:]
        var position = keys.end
        for key in keys.content {
            guard let size = sizes[key] else {
                throw FileError(file, "storage '\(key)' belongs to no tensor")
            }
            guard data.endIndex - position >= 8 else {
                throw FileError(file, "truncated: storage '\(key)' has no count at byte \(position)")
            }
            let count = data[position..<position + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            position += 8
            guard count <= UInt64(data.endIndex - position) / UInt64(size) else {
                throw FileError(
                    file,
                    "truncated: storage '\(key)' has \(count) numbers of \(size) bytes, the file \(data.endIndex - position) bytes more"
                )
            }
            let end = position + Int(count) * size
            guard storages.updateValue(position..<end, forKey: key) == nil else {
                throw FileError(file, "storage '\(key)' occurs twice")
            }
            position = end
        }
        return TorchParts(tensors: tensors.content, storages: storages)
    }
}
