import Foundation
import PlanFormat
import Tensors

/// Binary codes for an embedding with more bits for frequent rows: Algorithm 1.
///
/// Rows are sorted by falling frequency (ties, and rows without frequencies, by index) and cut in clusters; cluster i of b has
/// b - i bits. Parts: `order` I32 (rows): the token of each packed row; `signs.<i>` U8 (bits, size, ceil(columns / 8)) and
/// `alphas.<i>` (size, 1, bits) of each cluster, as binary codes store them.
/// - Source: Chung et al. 2020, Algorithm 1.
enum ClusteredCodes {
    static func encode(
        _ weights: Matrix, clusters: Int, ratio: Int, alphas type: Scheme.FloatType, fit: CodeFit,
        context: CalibrationContext
    ) throws(QuantizationError) -> PackedMatrix {
        let frequencies = context.rowFrequencies ?? []
        guard frequencies.isEmpty || frequencies.count == weights.rows else {
            throw .contextMismatch(
                "row frequencies: expected \(weights.rows), one a row, got \(frequencies.count)")
        }
        let order =
            frequencies.isEmpty
            ? Array(0..<weights.rows)
            : (0..<weights.rows).sorted { (frequencies[$1], $0) < (frequencies[$0], $1) }
        let stored = order.map { Int32($0) }
        var parts = [
            "order": PackedTensor(
                type: .int32, shape: [weights.rows], bytes: stored.withUnsafeBytes { Data($0) })
        ]
        var start = 0
        for (cluster, size) in Scheme.clusterSizes(rows: weights.rows, clusters: clusters, ratio: ratio)
            .enumerated()
        {
            let rows = weights.gathering(rows: Array(order[start..<start + size]))
            let packed = try BinaryCodes.encode(
                rows, bits: clusters - cluster, group: nil, alphas: type, fit: fit, context: context)
            parts["signs.\(cluster)"] = packed.parts["signs"]
            parts["alphas.\(cluster)"] = packed.parts["alphas"]
            start += size
        }
        return PackedMatrix(
            scheme: .clusteredCodes(clusters: clusters, ratio: ratio, alphas: type), rows: weights.rows,
            columns: weights.columns, parts: parts)
    }

    static func decode(_ packed: PackedMatrix, clusters: Int, ratio: Int) throws(QuantizationError) -> Matrix
    {
        let order = try packed.part("order").integers.map(Int.init)
        var seen = [Bool](repeating: false, count: packed.rows)
        for token in order {
            guard seen.indices.contains(token), !seen[token] else {
                throw .invalidPart("order", reason: "token \(token) is out of range or occurs twice")
            }
            seen[token] = true
        }
        var decoded = Matrix(rows: packed.rows, columns: packed.columns)
        var start = 0
        for (cluster, size) in Scheme.clusterSizes(rows: packed.rows, clusters: clusters, ratio: ratio)
            .enumerated()
        {
            let rows = BinaryCodes.decode(
                signs: try packed.part("signs.\(cluster)"),
                alphas: try packed.part("alphas.\(cluster)").floats,
                rows: size, columns: packed.columns, bits: clusters - cluster, group: nil)
            for row in 0..<size {
                let target = order[start + row] * packed.columns
                let source = row * packed.columns
                decoded.storage.replaceSubrange(
                    target..<target + packed.columns, with: rows[source..<source + packed.columns])
            }
            start += size
        }
        return decoded
    }
}
