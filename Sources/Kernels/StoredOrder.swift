import BitplanTensors
import Foundation
import PlanFormat

/// Packed matrices between plain order, in which encoders write codes, and stored order, in which kernels
/// read them.
///
/// Both have the same parts, types, shapes and sizes; only the bytes of the code parts stand elsewhere
/// (`InterleavedRows`). A `PackedMatrix` outside an encoder is always in stored order.
extension PackedMatrix {
    /// This matrix, whose codes are in plain order, in stored order.
    package func inStoredOrder() -> PackedMatrix { reordered(InterleavedRows.stored) }

    /// This matrix, whose codes are in stored order, in plain order.
    package func inPlainOrder() -> PackedMatrix { reordered(InterleavedRows.plain) }

    private func reordered(_ reorder: (Data, Int, Int, Int) -> Data) -> PackedMatrix {
        var reordered = parts
        for part in scheme.parts(rows: rows, columns: columns) {
            guard case .interleaved(let planes, let rows, let rowBytes) = part.order,
                let tensor = parts[part.name], tensor.bytes.count == planes * rows * rowBytes
            else { continue }
            reordered[part.name] = PackedTensor(
                type: tensor.type, shape: tensor.shape, bytes: reorder(tensor.bytes, planes, rows, rowBytes))
        }
        return PackedMatrix(scheme: scheme, rows: rows, columns: columns, parts: reordered)
    }
}
