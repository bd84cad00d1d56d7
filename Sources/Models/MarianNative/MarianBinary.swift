import BitplanTensors
import Foundation

/// Marian's `*.bin`: headers, names and shapes of all tensors, one after the other, then their bytes.
///
/// All numbers are little-endian: a version (1), the number of tensors, for each of them four numbers (bytes
/// of the name with its NUL, code of the type, rank, bytes of the data), the names, the shapes as 32-bit
/// numbers, the bytes of a filling and the filling, and the data back to back.
/// - Source: `src/common/binary.cpp` of marian-nmt/marian-dev.
enum MarianBinary {
    /// The version that is read; 2 is encrypted.
    static let version = 1
    /// No tensor of Marian's has more axes.
    private static let maximumRank = 8

    /// The tensors, by name.
    ///
    /// - Throws: `FileError` where the file is truncated, of another version, has a name twice, a type that
    ///   is arranged for one processor, or less bytes than a shape needs.
    static func tensors(_ data: Data, _ file: URL) throws(FileError) -> [String: MarianTensor] {
        let bytes = LittleEndianBytes(data, file, of: "model")
        let found = try bytes.integer(0, 8)
        guard found == version else {
            throw FileError(
                file,
                "binary version \(found) is not supported: expected \(version)"
                    + (found == 2 ? " (2 is encrypted)" : ""))
        }
        let count = try bytes.integer(8, 8)
        guard count <= (data.count - 16) / 32 else {
            throw FileError(
                file, "truncated: \(count) tensors have headers of 32 bytes, the file has \(data.count) bytes"
            )
        }
        var position = 16 + 32 * count
        var names: [String] = []
        for index in 0..<count {
            let length = try bytes.integer(16 + 32 * index, 8)
            let name = try bytes.slice(position, length)
            guard name.last == 0, let text = String(validating: name.dropLast(), as: UTF8.self),
                MarianTensor.isName(text)
            else {
                throw FileError(
                    file,
                    "tensor \(index + 1): expected a name in UTF-8 without control characters that ends with NUL"
                )
            }
            names.append(text)
            position += length
        }
        var shapes: [[Int]] = []
        for index in 0..<count {
            let rank = try bytes.integer(16 + 32 * index + 16, 8)
            guard rank <= maximumRank else {
                throw FileError(
                    file, "tensor '\(names[index])': expected up to \(maximumRank) axes, got \(rank)")
            }
            var shape: [Int] = []
            for axis in 0..<rank {
                shape.append(
                    Int(Int32(truncatingIfNeeded: try bytes.integer(position + 4 * axis, 4))))
            }
            shapes.append(shape)
            position += 4 * rank
        }
        let filling = try bytes.integer(position, 8)
        _ = try bytes.slice(position + 8, filling)
        position += 8 + filling
        var tensors: [String: MarianTensor] = [:]
        for (index, name) in names.enumerated() {
            let length = try bytes.integer(16 + 32 * index + 24, 8)
            _ = try bytes.slice(position, length)
            let tensor = try tensor(
                name, code: UInt64(try bytes.integer(16 + 32 * index + 8, 8)), shape: shapes[index],
                position..<position + length, file)
            guard tensors.updateValue(tensor, forKey: name) == nil else {
                throw FileError(file, "tensor '\(name)' occurs twice")
            }
            position += length
        }
        return tensors
    }

    private static func tensor(
        _ name: String, code: UInt64, shape: [Int], _ range: Range<Int>, _ file: URL
    ) throws(FileError) -> MarianTensor {
        guard let element = MarianElement(code: code) else {
            throw FileError(
                file,
                "tensor '\(name)': type 0x\(String(code, radix: 16)) is not supported: expected floats, or intgemm's integers that are not arranged for one processor"
            )
        }
        guard let needed = MarianTensor.bytes(shape, element) else {
            throw FileError(file, "tensor '\(name)': shape \(shape) is negative or too large")
        }
        guard needed <= range.count else {
            throw FileError(
                file, "tensor '\(name)': shape \(shape) needs \(needed) bytes, the file has \(range.count)")
        }
        return MarianTensor(element: element, shape: shape, start: range.lowerBound)
    }
}
