import BitplanTensors
import Foundation

/// Matrices in NumPy's `.npy` files, as independent references write them.
///
/// Reads little-endian float32, float64 and int32 arrays in C order of one or two dimensions (a vector
/// becomes one row), format versions 1 to 3. Source: NumPy's format specification (`numpy.lib.format`).
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
        try matrix(Data(contentsOf: url), name: url.lastPathComponent)
    }

    /// The matrix in the bytes of a file.
    fileprivate static func matrix(_ data: Data, name: String) throws -> Matrix {
        func fail(_ reason: String) -> Malformed { Malformed(description: "\(name): \(reason)") }
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
        if header.contains("'<i4'") {
            guard body.count == 4 * rows * columns else { throw fail("truncated data") }
            let storage = body.withUnsafeBytes { bytes in
                (0..<rows * columns).map {
                    Float(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self))
                }
            }
            return Matrix(rows: rows, columns: columns, storage: storage)
        }
        guard header.contains("'<f8'") else { throw fail("neither float32, float64 nor int32") }
        guard body.count == 8 * rows * columns else { throw fail("truncated data") }
        let storage = body.withUnsafeBytes { bytes in
            (0..<rows * columns).map { Float(bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self)) }
        }
        return Matrix(rows: rows, columns: columns, storage: storage)
    }
}

/// Arrays in NumPy's `.npz` files: a ZIP archive of `.npy` files, not compressed.
package struct NumpyArchive {
    private let data: Data
    private let places: [String: Range<Int>]

    /// Reads the archive's directory.
    ///
    /// - Throws: `NumpyFile.Malformed`, or what reading the file throws.
    package init(_ url: URL) throws {
        let data = try Data(contentsOf: url)
        func number(_ position: Int, _ width: Int) -> Int {
            data[position..<position + width].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        guard let end = data.range(of: Data("PK\u{5}\u{6}".utf8), options: .backwards)?.lowerBound else {
            throw NumpyFile.Malformed(description: "\(url.lastPathComponent): no archive")
        }
        var places: [String: Range<Int>] = [:]
        var position = number(end + 16, 4)
        for _ in 0..<number(end + 10, 2) {
            let (length, extra) = (number(position + 28, 2), number(position + 30, 2))
            let name = String(decoding: data[position + 46..<position + 46 + length], as: UTF8.self)
            let header = number(position + 42, 4)
            let start = header + 30 + number(header + 26, 2) + number(header + 28, 2)
            places[name] = start..<start + number(position + 24, 4)
            position += 46 + length + extra + number(position + 32, 2)
        }
        self.data = data
        self.places = places
    }

    /// The numbers of the array called `name`.
    ///
    /// - Throws: `NumpyFile.Malformed` where there is none, or it is not of a type that is read.
    package func floats(_ name: String) throws -> [Float] {
        guard let place = places[name + ".npy"] else {
            throw NumpyFile.Malformed(description: "no array '\(name)'")
        }
        return try NumpyFile.matrix(Data(data[place]), name: name).storage
    }
}
