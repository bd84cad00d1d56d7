import BitplanTensors
import Foundation
import PlanFormat

extension Scheme.ClusteredCodes: SchemeCodec {}
extension Scheme.TrellisClusters: SchemeCodec {}

/// Codes for an embedding with more bits for frequent rows.
///
/// Rows are sorted by falling frequency (ties, and rows without frequencies, by index) and cut in clusters. A
/// row that occurs once counts as one that never does: the text says as little of it. Else the rare tokens of
/// the text that clusters are made by, and plans perhaps measured on, would look better than those of others.
/// Parts: `cluster` U8 (rows): the cluster of each row; then those of each cluster's codes, its rows in their
/// own order.
/// - Source: Chung et al. 2020, Algorithm 1.
extension SchemeCodec where Self: RowClusters {
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
            : (0..<weights.rows).sorted {
                (max(1, frequencies[$1]), $0) < (max(1, frequencies[$0]), $1)
            }
        var membership = [UInt8](repeating: 0, count: weights.rows)
        var encoded: [PackedMatrix] = []
        // Every row counts alone: how the errors of rows meet is not known of an embedding.
        var context = context
        context.rowFrequencies = nil
        context.outputMoments = nil
        var start = 0
        for (cluster, size) in sizes(rows: weights.rows).enumerated() {
            let rows = order[start..<start + size].sorted()
            for row in rows { membership[row] = UInt8(cluster) }
            guard let codec = codes(of: cluster) as? any SchemeCodec else { throw .notEncodable(scheme) }
            encoded.append(try codec.encode(weights.gathering(rows: rows), fit: fit, context: context))
            start += size
        }
        return PackedMatrix(
            self,
            membership: PackedTensor(type: .uint8, shape: [weights.rows], bytes: Data(membership)),
            clusters: encoded, columns: weights.columns)
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        var decoded = Matrix(rows: packed.rows, columns: packed.columns)
        for (cluster, rows) in try packed.members(self).enumerated() {
            guard let codec = codes(of: cluster) as? any SchemeCodec else { throw .notDecodable(scheme) }
            let codes = try packed.cluster(cluster, of: self, rows: rows.count)
            decoded.set(try codec.decode(codes), rows: rows)
        }
        return decoded
    }
}
