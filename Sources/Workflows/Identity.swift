import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat

extension Model {
    /// SHA-256 of the weights by content: names, shapes and FP32 values of all tensors in order of their names.
    ///
    /// The same weights give the same identity whatever file they come in.
    /// - Throws: `FileError` where the weights cannot be read.
    package func identity() throws -> ModelIdentity {
        let hash = ContentHash()
        let matrices = layout.sublayers.flatMap(\.matrices).sorted { $0.tensor < $1.tensor }
        for shape in matrices {
            hash.add(shape.tensor, shape: [shape.rows, shape.columns], try matrix(shape).storage)
        }
        for (name, count) in family.vectors.sorted(by: { $0.name < $1.name }) {
            hash.add(name, shape: [count], try vector(name))
        }
        return ModelIdentity(type: Family.modelType, sha256: hash.finish())
    }
}
