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
        for (name, tensor) in parts {
            guard let order = rowOrder(of: name),
                tensor.bytes.count == order.planes * order.rows * order.rowBytes
            else { continue }
            reordered[name] = PackedTensor(
                type: tensor.type, shape: tensor.shape,
                bytes: reorder(tensor.bytes, order.planes, order.rows, order.rowBytes))
        }
        return PackedMatrix(scheme: scheme, rows: rows, columns: columns, parts: reordered)
    }

    /// How the rows of a part are interleaved; nil where plain and stored order are one.
    private func rowOrder(of part: String) -> (planes: Int, rows: Int, rowBytes: Int)? {
        let planeBytes = (columns + 7) / 8
        switch (scheme, part) {
        case (.binaryCodes(let bits, _, _), "signs"): return (bits, rows, planeBytes)
        case (.clusteredCodes(let clusters, let ratio, _), _):
            let sizes = Scheme.clusterSizes(rows: rows, clusters: clusters, ratio: ratio)
            guard part.hasPrefix("signs."), let cluster = Int(part.dropFirst(6)),
                sizes.indices.contains(cluster)
            else { return nil }
            return (clusters - cluster, sizes[cluster], planeBytes)
        case (.integer(let bits, _, _, _), "codes"): return (1, rows, (columns * bits + 7) / 8)
        case (.index8, "codes"), (.integer8Activations, "codes"): return (1, rows, columns)
        case (.normalFloat4(let block, _), "codes"):
            return LevelCodeMatrix.isInterleaved(columns: columns, block: block)
                ? (1, rows, columns / 2) : nil
        case (.sign, "signs"), (.bitLinear, "signs"): return (1, rows, planeBytes)
        default: return nil
        }
    }
}
