import BitplanTensors
import Foundation

/// The weights of a model directory as published, by their names in the checkpoint.
///
/// Nothing is read before it is asked for: quantizing a model never holds more than one of its matrices.
package protocol Checkpoint: Sendable {
    /// The file or directory, for errors.
    var file: URL { get }
    /// Names and shapes of all tensors.
    var shapes: [String: [Int]] { get }
    /// Bytes of the file where its weights are integers already, so that FP32 says little of its size; else
    /// nil.
    var integerFileBytes: Int? { get }
    /// Numbers of a tensor, widened to FP32.
    ///
    /// - Throws: `FileError` where the tensor is missing, of another shape, or holds a NaN or an infinity.
    func floats(_ name: String, shape: [Int]) throws(FileError) -> [Float]
}

extension Checkpoint {
    /// Floats.
    package var integerFileBytes: Int? { nil }
}

/// A checkpoint in one `model.safetensors`.
package struct SafetensorsCheckpoint: Checkpoint {
    private let tensors: Safetensors

    /// Opens the file; errors as `Safetensors.init`.
    package init(_ file: URL) throws(FileError) {
        tensors = try Safetensors(file)
        shapes = tensors.entries.mapValues(\.shape)
    }

    /// The file.
    package var file: URL { tensors.file }

    /// Names and shapes, as the header says them.
    package let shapes: [String: [Int]]

    /// Numbers of a tensor; errors as `Safetensors.floats`.
    package func floats(_ name: String, shape: [Int]) throws(FileError) -> [Float] {
        try tensors.floats(name, shape: shape)
    }
}
