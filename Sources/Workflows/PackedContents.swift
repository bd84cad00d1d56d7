import BitplanEncoding
import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat

/// What lies in a packed directory: the files, and where each part of a matrix and each vector is in
/// model.safetensors.
package struct PackedContents: Encodable, Sendable {
    /// The plan's name.
    package let plan: String
    /// Bytes of the weights' file: the plan's bytes.
    package let bytes: Int
    /// Bytes of the model in FP32.
    package let fullPrecisionBytes: Int
    /// Bytes of every file, by name: the tokenizer's beside the weights.
    package let files: [String: Int]
    /// Bytes of all files.
    package let directoryBytes: Int
    /// What each matrix became, in order of execution.
    package let matrices: [Matrix]
    /// Parts of matrices, and vectors.
    package let parts: [PackedFile.Part]
    /// The vectors that are not stored, with the number that each is made of.
    package let constants: [String: Float]

    /// A packed matrix.
    package struct Matrix: Encodable, Sendable {
        /// Its name in the checkpoint.
        package let tensor: String
        /// Output channels, or tokens.
        package let rows: Int
        /// Input channels.
        package let columns: Int
        /// What it became.
        package let scheme: Scheme
    }

    /// Opens a packed directory.
    ///
    /// - Throws: as `PackedModel.init`.
    package init<Family: ModelFamily>(_ family: Family.Type, _ directory: URL) throws {
        let packed = try PackedModel<Family>(directory: directory)
        plan = packed.plan.origin?.description ?? "unnamed"
        bytes = packed.sizeInBytes
        fullPrecisionBytes = packed.layout.fullPrecisionBytes
        files = try directorySizes(directory)
        directoryBytes = files.values.reduce(0, +)
        matrices = packed.layout.sublayers.flatMap(\.matrices).map {
            Matrix(
                tensor: $0.tensor, rows: $0.rows, columns: $0.columns, scheme: packed.schemes[$0.tensor])
        }
        parts = packed.file.parts
        constants = packed.constants.values
    }
}

/// Bytes of the files of a directory, by name.
///
/// - Throws: `FileError` where it cannot be read.
func directorySizes(_ directory: URL) throws(FileError) -> [String: Int] {
    do {
        let files = try FileManager.default.contentsOfDirectory(
            at: directory, includingPropertiesForKeys: [.fileSizeKey])
        return Dictionary(
            uniqueKeysWithValues: try files.map {
                ($0.lastPathComponent, try $0.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0)
            })
    } catch {
        throw FileError(directory, "cannot be read: \(FileError.reason(error))")
    }
}
