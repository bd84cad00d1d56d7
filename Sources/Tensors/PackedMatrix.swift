import Foundation
import PlanFormat

/// One stored tensor of a packed matrix: raw little-endian bytes with the type and shape that a safetensors
/// header says.
package struct PackedTensor: Sendable, Equatable {
    /// The element type, in safetensors' spelling.
    package let type: ElementType
    /// Extents, outermost first.
    package let shape: [Int]
    /// The elements, little-endian.
    package let bytes: Data

    /// A tensor over `bytes`, which must have the size that type and shape say.
    package init(type: ElementType, shape: [Int], bytes: Data) {
        precondition(bytes.count == shape.reduce(type.sizeInBytes, *), "bytes do not fill the shape")
        self.type = type
        self.shape = shape
        self.bytes = bytes
    }
}

/// A matrix in a scheme's stored form: what lies on disk and what the kernels read, without a dense copy.
///
/// - Shapes: (`rows`, `columns`); the parts (`signs`, `alphas`, `codes`, `scales`...) are each scheme's own.
package struct PackedMatrix: Sendable, Equatable {
    /// The scheme that the parts belong to.
    package let scheme: Scheme
    /// Output channels, or tokens.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    /// By name; on disk `<tensor>.<part>`.
    package let parts: [String: PackedTensor]

    /// A packed matrix from its parts.
    package init(scheme: Scheme, rows: Int, columns: Int, parts: [String: PackedTensor]) {
        self.scheme = scheme
        self.rows = rows
        self.columns = columns
        self.parts = parts
    }

    /// Bytes of all parts; equals `scheme.sizeInBytes(rows:columns:)`.
    package var sizeInBytes: Int { parts.values.reduce(0) { $0 + $1.bytes.count } }
}
