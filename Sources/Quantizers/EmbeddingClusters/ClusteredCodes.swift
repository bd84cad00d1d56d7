import BitplanTensors
import Foundation
import PlanFormat

/// Binary codes for an embedding with more bits for frequent rows: Algorithm 1.
///
/// Rows are sorted by falling frequency (ties, and rows without frequencies, by index) and cut in clusters;
/// cluster i of b has b - i bits. Parts: `cluster` U8 (rows): the cluster of each token; `signs.<i>` U8
/// (bits, size, ceil(columns / 8)) and `alphas.<i>` (size, 1, bits) of each cluster, as binary codes store
/// them, its tokens in their own order.
/// - Source: Chung et al. 2020, Algorithm 1.
enum ClusteredCodes {
    /// Rows that are copied from the embedding at a time: each is fitted alone.
    private static let runLength = 4096

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
        var membership = [UInt8](repeating: 0, count: weights.rows)
        var parts: [String: PackedTensor] = [:]
        var start = 0
        for (cluster, size) in Scheme.clusterSizes(rows: weights.rows, clusters: clusters, ratio: ratio)
            .enumerated()
        {
            let tokens = order[start..<start + size].sorted()
            for token in tokens { membership[token] = UInt8(cluster) }
            let bits = clusters - cluster
            var planes = [Data](repeating: Data(), count: bits)
            var alphas = Data()
            for first in stride(from: 0, to: size, by: runLength) {
                let run = Array(tokens[first..<min(first + runLength, size)])
                let packed = try BinaryCodes.encode(
                    weights.gathering(rows: run), bits: bits, group: nil, alphas: type, fit: fit,
                    context: context)
                let signs = try packed.part("signs").bytes
                for plane in planes.indices {
                    planes[plane] += signs.dropFirst(plane * signs.count / bits).prefix(signs.count / bits)
                }
                alphas += try packed.part("alphas").bytes
            }
            let rowBytes = SignPlanes.rowBytes(columns: weights.columns)
            parts["signs.\(cluster)"] = PackedTensor(
                type: .uint8, shape: [bits, size, rowBytes], bytes: planes.reduce(Data(), +))
            parts["alphas.\(cluster)"] = PackedTensor(
                type: type.elementType, shape: [size, 1, bits], bytes: alphas)
            start += size
        }
        parts["cluster"] = PackedTensor(type: .uint8, shape: [weights.rows], bytes: Data(membership))
        return PackedMatrix(
            scheme: .clusteredCodes(clusters: clusters, ratio: ratio, alphas: type), rows: weights.rows,
            columns: weights.columns, parts: parts)
    }

    static func decode(_ packed: PackedMatrix, clusters: Int, ratio: Int) throws(QuantizationError) -> Matrix
    {
        var members = [[Int]](repeating: [], count: clusters)
        for (token, cluster) in try packed.part("cluster").bytes.enumerated() {
            guard cluster < clusters else {
                throw .invalidPart(
                    "cluster", reason: "token \(token) is in cluster \(cluster) of \(clusters)")
            }
            members[Int(cluster)].append(token)
        }
        var decoded = Matrix(rows: packed.rows, columns: packed.columns)
        for (cluster, size) in Scheme.clusterSizes(rows: packed.rows, clusters: clusters, ratio: ratio)
            .enumerated()
        {
            guard members[cluster].count == size else {
                throw .invalidPart(
                    "cluster",
                    reason: "cluster \(cluster) has \(members[cluster].count) tokens, expected \(size)")
            }
            let rows = BinaryCodes.decode(
                signs: try packed.part("signs.\(cluster)"),
                alphas: try packed.part("alphas.\(cluster)").floats,
                rows: size, columns: packed.columns, bits: clusters - cluster, group: nil)
            for (row, token) in members[cluster].enumerated() {
                decoded.storage.replaceSubrange(
                    token * packed.columns..<(token + 1) * packed.columns,
                    with: rows[row * packed.columns..<(row + 1) * packed.columns])
            }
        }
        return decoded
    }
}
