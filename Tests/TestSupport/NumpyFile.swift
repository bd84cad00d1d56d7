import BitplanTensors
import Foundation

/// Matrices in NumPy's `.npy` files, as independent references write them.
///
/// Reads little-endian float32 and float64 arrays in C order of one or two dimensions (a vector becomes one
/// row), format versions 1 to 3. Source: NumPy's format specification (`numpy.lib.format`).
package enum NumpyFile {
    /// What is wrong with a file.
    package struct Malformed: Error, CustomStringConvertible {
        /// The file and what is wrong with it.
        package let description: String
    }

    /// The matrix in the file at `url`.
    ///
    /// - Throws: `Malformed`, or what reading the file throws.
    package static func read(_ url: URL) throws -> Matrix {
        let data = try Data(contentsOf: url)
        func fail(_ reason: String) -> Malformed {
            Malformed(description: "\(url.lastPathComponent): \(reason)")
        }
        guard data.count >= 12, data.prefix(6) == Data([0x93] + Array("NUMPY".utf8)) else {
            throw fail("not an .npy file")
        }
        let major = data[6]
        let lengthBytes = major == 1 ? 2 : 4
        let headerLength = (0..<lengthBytes).reduce(0) { $0 | Int(data[8 + $1]) << (8 * $1) }
        let start = 8 + lengthBytes + headerLength
        guard start <= data.count,
            let header = String(bytes: data[(8 + lengthBytes)..<start], encoding: .utf8)
        else {
            throw fail("truncated header")
        }
        guard header.contains("'fortran_order': False") else { throw fail("not in C order") }
        guard let open = header.range(of: "'shape': ("),
            let close = header.range(of: ")", range: open.upperBound..<header.endIndex)
        else { throw fail("no shape") }
        let shape = header[open.upperBound..<close.lowerBound].split(separator: ",")
            .compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        guard (1...2).contains(shape.count) else { throw fail("\(shape.count) dimensions") }
        let rows = shape.count == 2 ? shape[0] : 1
        let columns = shape[shape.count - 1]
        let body = data[start...]
        if header.contains("'<f4'") {
            guard body.count == 4 * rows * columns else { throw fail("truncated data") }
            let storage = body.withUnsafeBytes { bytes in
                (0..<rows * columns).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
            }
            return Matrix(rows: rows, columns: columns, storage: storage)
        }
        guard header.contains("'<f8'") else { throw fail("neither float32 nor float64") }
        guard body.count == 8 * rows * columns else { throw fail("truncated data") }
        let storage = body.withUnsafeBytes { bytes in
            (0..<rows * columns).map { Float(bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self)) }
        }
        return Matrix(rows: rows, columns: columns, storage: storage)
    }
}
