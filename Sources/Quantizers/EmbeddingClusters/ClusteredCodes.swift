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
extension Scheme.ClusteredCodes: SchemeCodec {
    /// Rows that are copied from the embedding at a time: each is fitted alone.
    private static let runLength = 4096

    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext)
        throws(QuantizationError) -> PackedMatrix
    {
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
        for (cluster, size) in sizes(rows: weights.rows).enumerated() {
            let tokens = order[start..<start + size].sorted()
            for token in tokens { membership[token] = UInt8(cluster) }
            let codes = codes(of: cluster)
            let bits = codes.bits
            var planes = [Data](repeating: Data(), count: bits)
            var scales: [Float] = []
            for first in stride(from: 0, to: size, by: Self.runLength) {
                let run = Array(tokens[first..<min(first + Self.runLength, size)])
                let (signs, alphas) = try codes.encodedPlanes(
                    weights.gathering(rows: run), fit: fit, context: context)
                for plane in planes.indices {
                    planes[plane] += signs.dropFirst(plane * signs.count / bits).prefix(signs.count / bits)
                }
                scales += alphas
            }
            let rowBytes = SignPlanes.rowBytes(columns: weights.columns)
            parts["signs.\(cluster)"] = PackedTensor(
                type: .uint8, shape: [bits, size, rowBytes], bytes: planes.reduce(Data(), +))
            parts["alphas.\(cluster)"] = PackedTensor(shape: [size, 1, bits], floats: scales, as: alphas)
            start += size
        }
        parts["cluster"] = PackedTensor(type: .uint8, shape: [weights.rows], bytes: Data(membership))
        return PackedMatrix(
            scheme: scheme, rows: weights.rows, columns: weights.columns, parts: parts)
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        var decoded = Matrix(rows: packed.rows, columns: packed.columns)
        for (cluster, tokens) in try members(packed).enumerated() {
            let rows = codes(of: cluster).decoded(
                signs: try packed.part("signs.\(cluster)"),
                alphas: try packed.part("alphas.\(cluster)").floats, rows: tokens.count,
                columns: packed.columns)
            decoded.set(Matrix(rows: tokens.count, columns: packed.columns, storage: rows), rows: tokens)
        }
        return decoded
    }

    /// The rows of each cluster, in their order.
    func members(_ packed: PackedMatrix) throws(PackedMatrixError) -> [[Int]] {
        let sizes = sizes(rows: packed.rows)
        var members = [[Int]](repeating: [], count: clusters)
        for (token, byte) in try packed.part("cluster").bytes.enumerated() {
            let cluster = Int(byte)
            guard cluster < clusters, members[cluster].count < sizes[cluster] else {
                throw .badValue(
                    scheme: scheme, name: "cluster", index: token,
                    message: "cluster \(cluster) is not one of \(clusters), or has too many tokens")
            }
            members[cluster].append(token)
        }
        return members
    }
}
