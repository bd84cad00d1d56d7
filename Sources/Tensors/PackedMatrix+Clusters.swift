import PlanFormat

/// Packed matrices whose rows stand in clusters.
extension PackedMatrix {
    /// The rows of each cluster, in their order.
    ///
    /// - Throws: `PackedMatrixError.badValue` at the first row of a cluster that is none, or that is full.
    package func members(_ family: any RowClusters) throws(PackedMatrixError) -> [[Int]] {
        let sizes = family.sizes(rows: rows)
        var members = [[Int]](repeating: [], count: family.clusters)
        for (row, byte) in try part("cluster").bytes.enumerated() {
            let cluster = Int(byte)
            guard cluster < members.count, members[cluster].count < sizes[cluster] else {
                throw .badValue(
                    scheme: scheme, name: "cluster", index: row,
                    message: "cluster \(cluster) is not one of \(family.clusters), or has too many rows")
            }
            members[cluster].append(row)
        }
        return members
    }

    /// The codes of a cluster with so many rows, as a matrix of their own.
    package func cluster(
        _ index: Int, of family: any RowClusters, rows: Int
    ) throws(PackedMatrixError) -> PackedMatrix {
        let codes = family.codes(of: index)
        var parts: [String: PackedTensor] = [:]
        for part in codes.parts(rows: rows, columns: columns) {
            parts[part.name] = try self.part("\(part.name).\(index)")
        }
        return PackedMatrix(scheme: codes.scheme, rows: rows, columns: columns, parts: parts)
    }

    /// A matrix of clusters from the cluster of every row and the codes of each.
    package init(
        _ family: any RowClusters, membership: PackedTensor, clusters: [PackedMatrix], columns: Int
    ) {
        var parts = ["cluster": membership]
        for (index, cluster) in clusters.enumerated() {
            for (name, tensor) in cluster.parts { parts["\(name).\(index)"] = tensor }
        }
        self.init(
            scheme: family.scheme, rows: membership.bytes.count, columns: columns, parts: parts)
    }
}
