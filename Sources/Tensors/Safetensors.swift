import Foundation
import PlanFormat

/// A safetensors file, mapped into memory and checked before anything is read from it.
///
/// Layout: 8 bytes of header length (little-endian), a JSON header, then the tensors' bytes.
/// - Source: the safetensors format description (huggingface/safetensors).
package struct Safetensors: Sendable {
    /// What the header says of one tensor.
    package struct Entry: Sendable {
        /// The element type.
        package let type: ElementType
        /// Extents, outermost first.
        package let shape: [Int]
        /// Byte offsets into the file.
        package let range: Range<Int>

        /// The number of elements.
        package var count: Int { shape.reduce(1, *) }
    }

    /// The file.
    package let file: URL
    /// The tensors, by name.
    package let entries: [String: Entry]
    /// The header's `__metadata__`.
    package let metadata: [String: String]
    private let data: Data

    /// Opens `file` and checks its header.
    ///
    /// - Throws: `FileError` where the file is truncated, its header is not JSON, or an entry's type, shape
    ///   or offsets are wrong: unknown type, negative size, bytes that differ from the shape, offsets outside
    ///   the file or overlapping.
    package init(_ file: URL) throws(FileError) {
        let data = try FileError.read(file)
        guard data.count >= 8 else {
            throw FileError(file, "truncated: \(data.count) bytes, a header needs 8")
        }
        let length = data.prefix(8).enumerated().reduce(UInt64(0)) {
            $0 | UInt64($1.element) << (8 * $1.offset)
        }
        guard length <= UInt64(data.count - 8) else {
            throw FileError(
                file, "truncated: the header has \(length) bytes, the file \(data.count - 8) after its length"
            )
        }
        let start = 8 + Int(length)
        let json = try? JSONSerialization.jsonObject(with: data[8..<start])
        guard let header = json as? [String: Any] else {
            throw FileError(file, "the header is not a JSON object")
        }
        var entries: [String: Entry] = [:]
        for (name, value) in header where name != "__metadata__" {
            entries[name] = try Safetensors.entry(name, value, start: start, size: data.count, file)
        }
        var end = start
        for (name, entry) in entries.sorted(by: { $0.value.range.lowerBound < $1.value.range.lowerBound })
        where !entry.range.isEmpty {
            guard entry.range.lowerBound >= end else {
                throw FileError(file, "tensor '\(name)' overlaps another")
            }
            end = entry.range.upperBound
        }
        self.file = file
        self.entries = entries
        self.metadata = header["__metadata__"] as? [String: String] ?? [:]
        self.data = data
    }

    private static func entry(
        _ name: String, _ value: Any, start: Int, size: Int, _ file: URL
    ) throws(FileError) -> Entry {
        guard let object = value as? [String: Any], let typeName = object["dtype"] as? String,
            let shape = object["shape"] as? [Int], let offsets = object["data_offsets"] as? [Int],
            offsets.count == 2
        else { throw FileError(file, "tensor '\(name)': expected dtype, shape and data_offsets") }
        guard let type = ElementType(rawValue: typeName) else {
            throw FileError(file, "tensor '\(name)': element type \(typeName) is not supported")
        }
        guard shape.allSatisfy({ $0 >= 0 }) else {
            throw FileError(file, "tensor '\(name)': negative size in \(shape)")
        }
        var bytes = type.sizeInBytes
        for extent in shape {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
            guard !overflow else { throw FileError(file, "tensor '\(name)': shape \(shape) is too large") }
            bytes = product
        }
        guard offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= size - start else {
            throw FileError(
                file,
                "tensor '\(name)': offsets \(offsets[0])..<\(offsets[1]) point outside the \(size - start) bytes of data"
            )
        }
        guard offsets[1] - offsets[0] == bytes else {
            throw FileError(
                file,
                "tensor '\(name)': \(typeName) \(shape) needs \(bytes) bytes, its offsets span \(offsets[1] - offsets[0])"
            )
        }
        return Entry(type: type, shape: shape, range: start + offsets[0]..<start + offsets[1])
    }

    /// The raw bytes of a tensor, without a copy.
    ///
    /// - Throws: `FileError` where the file has no such tensor.
    package func bytes(_ name: String) throws(FileError) -> Data {
        guard let entry = entries[name] else { throw FileError(file, "has no tensor '\(name)'") }
        return data[entry.range]
    }

    /// A tensor as stored.
    package func packed(_ name: String) throws(FileError) -> PackedTensor {
        guard let entry = entries[name] else { throw FileError(file, "has no tensor '\(name)'") }
        return PackedTensor(type: entry.type, shape: entry.shape, bytes: data[entry.range])
    }

    /// The numbers of a floating-point tensor, widened to FP32.
    ///
    /// - Throws: `FileError` where the tensor is missing, of another shape than `shape`, not of a floating
    ///   type, or holds a NaN or an infinity.
    package func floats(_ name: String, shape expected: [Int]? = nil) throws(FileError) -> [Float] {
        guard let entry = entries[name] else { throw FileError(file, "has no tensor '\(name)'") }
        if let expected, expected != entry.shape {
            throw FileError(file, "tensor '\(name)': expected shape \(expected), got \(entry.shape)")
        }
        guard let numbers = entry.type.widen(data[entry.range]) else {
            throw FileError(file, "tensor '\(name)': expected F32, F16 or BF16, got \(entry.type.rawValue)")
        }
        if let index = numbers.firstIndex(where: { !$0.isFinite }) {
            throw FileError(file, "tensor '\(name)': \(numbers[index]) at element \(index)")
        }
        return numbers
    }

    /// A two-dimensional tensor, widened to FP32; errors as `floats(_:shape:)`.
    package func matrix(_ name: String, rows: Int, columns: Int) throws(FileError) -> Matrix {
        Matrix(rows: rows, columns: columns, storage: try floats(name, shape: [rows, columns]))
    }
}

extension ElementType {
    /// The numbers in little-endian `bytes`, as FP32; nil for the integer types.
    package func widen(_ bytes: Data) -> [Float]? {
        let count = bytes.count / sizeInBytes
        return bytes.withUnsafeBytes { raw in
            switch self {
            case .float32:
                return [Float](unsafeUninitializedCapacity: count) { target, used in
                    UnsafeMutableRawBufferPointer(target).copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: raw[..<(4 * count)]))
                    used = count
                }
            case .float16:
                return [Float](unsafeUninitializedCapacity: count) { target, used in
                    for i in 0..<count {
                        let bits = raw.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
                        target[i] = HalfPrecision.widen(UInt16(littleEndian: bits))
                    }
                    used = count
                }
            case .bfloat16:
                return (0..<count).map { i in
                    Float(
                        bitPattern: UInt32(
                            UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)))
                            << 16)
                }
            case .uint8, .int8, .int32, .int64: return nil
            }
        }
    }
}
