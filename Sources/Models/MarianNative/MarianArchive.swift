import BitplanTensors
import Foundation

/// Marian's `*.npz`: a ZIP archive of one `.npy` file a tensor, not compressed.
///
/// - Source: NumPy's format specification (`numpy.lib.format`), versions 1 to 3; `src/common/io.cpp` of
///   marian-nmt/marian-dev for the names.
enum MarianArchive {
    /// The tensors, by name.
    ///
    /// - Throws: `FileError` where the archive is damaged or compressed, or a member is no array of floats or
    ///   bytes in the order of rows, or has other bytes than its shape needs.
    static func tensors(_ data: Data, _ file: URL) throws(FileError) -> [String: MarianTensor] {
        var tensors: [String: MarianTensor] = [:]
        for (member, range) in try ZipArchive(data, file).entries.sorted(by: { $0.key < $1.key }) {
            guard member.hasSuffix(".npy"), !member.contains("/") else {
                throw FileError(file, "'\(member)': expected arrays alone, called by their tensor and '.npy'")
            }
            let name = String(member.dropLast(".npy".count))
            guard MarianTensor.isName(name) else {
                throw FileError(file, "a member's name has control characters: expected names of tensors")
            }
            tensors[name] = try tensor(name, range, data, file)
        }
        return tensors
    }

    private static func tensor(
        _ name: String, _ range: Range<Int>, _ data: Data, _ file: URL
    ) throws(FileError) -> MarianTensor {
        let bytes = LittleEndianBytes(data, file, of: "array '\(name)'")
        let start = range.lowerBound
        guard range.count >= 12, try bytes.slice(start, 6) == Data([0x93] + Array("NUMPY".utf8)) else {
            throw FileError(file, "tensor '\(name)': expected an .npy file")
        }
        let width = try bytes.integer(start + 6, 1) == 1 ? 2 : 4
        let length = try bytes.integer(start + 8, width)
        let first = start + 8 + width + length
        guard first <= range.upperBound else {
            throw FileError(file, "tensor '\(name)': truncated in its header")
        }
        let header = String(decoding: try bytes.slice(start + 8 + width, length), as: UTF8.self)
        guard header.contains("'fortran_order': False"), let element = element(header),
            let shape = shape(header)
        else {
            throw FileError(
                file, "tensor '\(name)': expected '<f4', '<f2', '<f8' or '|i1' in the order of rows")
        }
        guard let needed = MarianTensor.bytes(shape, element) else {
            throw FileError(file, "tensor '\(name)': shape \(shape) is negative or too large")
        }
        guard needed == range.upperBound - first else {
            throw FileError(
                file,
                "tensor '\(name)': shape \(shape) needs \(needed) bytes, the file has \(range.upperBound - first)"
            )
        }
        return MarianTensor(element: element, shape: shape, start: first)
    }

    private static func element(_ header: String) -> MarianElement? {
        let types: [(String, MarianElement)] = [
            ("<f4", .float32), ("<f2", .float16), ("<f8", .float64), ("|i1", .int8),
        ]
        return types.first { header.contains("'descr': '\($0.0)'") }?.1
    }

    private static func shape(_ header: String) -> [Int]? {
        guard let open = header.range(of: "'shape': ("),
            let close = header.range(of: ")", range: open.upperBound..<header.endIndex)
        else { return nil }
        var shape: [Int] = []
        for part in header[open.upperBound..<close.lowerBound].split(separator: ",") {
            let text = part.trimmingCharacters(in: .whitespaces)
            if text.isEmpty { continue }
            guard let extent = Int(text) else { return nil }
            shape.append(extent)
        }
        return shape
    }
}
