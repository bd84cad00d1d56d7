import Crypto
import Foundation
import Models
import PlanFormat
import Tensors

/// The program's name and version, as plans and tables record it.
public let toolVersion = "bitplan 0.1.0"

extension Model {
    /// SHA-256 of the weights by content: names, shapes and FP32 values of all tensors in order of their names.
    ///
    /// The same weights give the same identity whatever file they come in.
    /// - Throws: `FileError` where the weights cannot be read.
    public func identity() throws -> ModelIdentity {
        var hash = SHA256()
        func add(_ name: String, _ shape: [Int], _ numbers: [Float]) {
            hash.update(data: Data("\(name) \(shape)\n".utf8))
            numbers.withUnsafeBytes { hash.update(bufferPointer: $0) }
        }
        let matrices = layout.sublayers.flatMap(\.matrices).sorted { $0.tensor < $1.tensor }
        for shape in matrices { add(shape.tensor, [shape.rows, shape.columns], try matrix(shape).storage) }
        for (name, count) in family.vectors.sorted(by: { $0.name < $1.name }) {
            add(name, [count], try vector(name))
        }
        return ModelIdentity(type: Family.modelType, sha256: hash.finalize().hexadecimal)
    }
}

extension Digest {
    var hexadecimal: String {
        let digits = Array("0123456789abcdef")
        return String(flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
