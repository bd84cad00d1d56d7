import BitplanKernels
import BitplanModels
import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat

/// Codes and the numbers beside them that training elsewhere has left in a model's directory: they are packed
/// as they are.
///
/// `codes.safetensors` has the parts of every matrix, called `<tensor>.<part>`, with the types, shapes and
/// order of bytes that a packed file has; its metadata have `layout_version` and `plan`, the plan's JSON.
/// Biases and norms are those of the checkpoint. `Scripts/torch/bitplan_torch` writes it.
package struct StoredCodes<Family: ModelFamily>: Sendable {
    /// The plan that the codes are of, `stored` as its fit.
    package let plan: Plan
    private let tensors: Safetensors

    /// The file's name.
    package static var fileName: String { "codes.safetensors" }
    private static var planKey: String { "plan" }

    /// Opens the codes in a model's directory.
    ///
    /// - Throws: `FileError` where there are none, or they have another layout version, no plan, or a plan of
    ///   another kind of model.
    package init(directory: URL) throws(FileError) {
        tensors = try Safetensors(directory.appending(path: Self.fileName))
        try PackedModel<Family>.checkLayoutVersion(tensors)
        guard let text = tensors.metadata[Self.planKey] else {
            throw FileError(tensors.file, "has no '\(Self.planKey)': expected what bitplan_torch exports")
        }
        var plan = try JSONFile.decode(Plan.self, from: Data(text.utf8), file: tensors.file)
        guard Family.modelTypes.contains(plan.model.type) else {
            throw FileError(
                tensors.file, "has codes of a model '\(plan.model.type)', this is '\(Family.modelType)'")
        }
        plan.fit = .stored
        self.plan = plan
    }

    /// The packed matrices of a model, by tensor.
    ///
    /// - Throws: `FileError` where `plan` says other schemes than the codes' own plan or does not fit the
    ///   model, where a part is missing, has another type or shape or a value that its scheme does not allow,
    ///   and where there is a part of no matrix.
    package func packed(_ model: Model<Family>, by plan: Plan) throws(FileError) -> [String: PackedMatrix] {
        let schemes: TensorSchemes
        let asked: TensorSchemes
        do {
            schemes = try self.plan.tensorSchemes(of: model.layout)
            asked = try plan.tensorSchemes(of: model.layout)
        } catch { throw FileError(tensors.file, "its plan \(error)") }
        guard plan.model == self.plan.model, asked == schemes else {
            throw FileError(tensors.file, "has codes of another plan than the one that is to be packed")
        }
        var packed: [String: PackedMatrix] = [:]
        var known: Set<String> = []
        for shape in model.layout.sublayers.flatMap(\.matrices) {
            var parts: [String: PackedTensor] = [:]
            for part in schemes[shape.tensor].parts(rows: shape.rows, columns: shape.columns) {
                let name = "\(shape.tensor).\(part.name)"
                parts[part.name] = try tensors.packed(name)
                known.insert(name)
            }
            let matrix = PackedMatrix(
                scheme: schemes[shape.tensor], rows: shape.rows, columns: shape.columns, parts: parts)
            do { try Quantizer.check(matrix) } catch {
                throw FileError(tensors.file, "tensor '\(shape.tensor)': \(error)")
            }
            packed[shape.tensor] = matrix
        }
        for name in tensors.entries.keys.sorted() where !known.contains(name) {
            throw FileError(tensors.file, "tensor '\(name)' is not in the plan")
        }
        return packed
    }
}
