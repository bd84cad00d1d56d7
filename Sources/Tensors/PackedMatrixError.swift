import PlanFormat

/// What can be wrong with a packed matrix: its parts are not what its scheme says, or nothing runs or decodes
/// the scheme.
package enum PackedMatrixError: Error, Equatable, CustomStringConvertible {
    /// A part that the scheme needs is not there.
    case missingPart(scheme: Scheme, name: String)
    /// A part has another type or shape than scheme and matrix say, or there is no such part.
    case wrongPart(scheme: Scheme, name: String, expected: String, got: String)
    /// The scheme cannot have a matrix of this shape.
    case wrongShape(scheme: Scheme, rows: Int, columns: Int, expected: String)
    /// There is no operator for the scheme.
    case notRunnable(Scheme)
    /// There is no decoder for the scheme.
    case notDecodable(Scheme)
    /// A number in a part is outside what the format allows.
    case badValue(scheme: Scheme, name: String, index: Int, message: String)

    /// One line: what, where, expected, got.
    package var description: String {
        switch self {
        case .missingPart(let scheme, let name):
            "a matrix of scheme \(scheme) needs the part '\(name)', which is missing"
        case .wrongPart(let scheme, let name, let expected, let got):
            "part '\(name)' of a matrix of scheme \(scheme): expected \(expected), got \(got)"
        case .wrongShape(let scheme, let rows, let columns, let expected):
            "a matrix of scheme \(scheme): expected \(expected), got (\(rows), \(columns))"
        case .notRunnable(let scheme): "there is no product for matrices of scheme \(scheme)"
        case .notDecodable(let scheme): "there is no decoder for matrices of scheme \(scheme)"
        case .badValue(let scheme, let name, let index, let message):
            "part '\(name)' of a matrix of scheme \(scheme), index \(index): \(message)"
        }
    }
}

extension PackedMatrix {
    /// Checks that the parts are those that the scheme says for this shape, no more and no fewer.
    ///
    /// - Throws: `PackedMatrixError.missingPart` or `.wrongPart`.
    package func checkParts() throws(PackedMatrixError) {
        let expected = scheme.parts(rows: rows, columns: columns)
        for part in expected {
            let tensor = try self.part(part.name)
            guard tensor.type == part.type, tensor.shape == part.shape else {
                throw .wrongPart(
                    scheme: scheme, name: part.name, expected: "\(part.type.rawValue) \(part.shape)",
                    got: "\(tensor.type.rawValue) \(tensor.shape)")
            }
        }
        if parts.count > expected.count {
            let known = Set(expected.map(\.name))
            for (name, tensor) in parts.sorted(by: { $0.key < $1.key }) where !known.contains(name) {
                throw .wrongPart(
                    scheme: scheme, name: name, expected: "no such part",
                    got: "\(tensor.type.rawValue) \(tensor.shape)")
            }
        }
    }

    /// The part of this name.
    ///
    /// - Throws: `PackedMatrixError.missingPart`.
    package func part(_ name: String) throws(PackedMatrixError) -> PackedTensor {
        guard let tensor = parts[name] else { throw .missingPart(scheme: scheme, name: name) }
        return tensor
    }
}
