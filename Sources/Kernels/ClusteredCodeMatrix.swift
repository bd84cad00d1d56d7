import BitplanTensors
import CBitplanKernels
import Foundation
import PlanFormat

extension Scheme.ClusteredCodes: RunnableScheme {
    var operatorType: any PackedOperator.Type { ClusteredCodeMatrix.self }
}

extension Scheme.TrellisClusters: RunnableScheme {
    var operatorType: any PackedOperator.Type { ClusteredCodeMatrix.self }
}

/// An embedding in clusters of rows with codes of different bits, run from its stored bytes.
///
/// Rows are looked up, and outputs stand, in the order of tokens: the order of clusters is undone here.
///
/// - Parts: `cluster` U8 (rows), the cluster of each token, whose rows stand in token order; for cluster i
///   the parts of its codes, `.<i>` behind their names.
/// - Source: Chung et al. 2020, Algorithm 1.
package final class ClusteredCodeMatrix: PreparingOperator, PackedOperator {
    /// Tokens.
    package let rows: Int
    /// Channels.
    package let columns: Int
    /// Those that have rows.
    private let clusters: [any PreparingOperator]
    /// The token of each packed row, cluster after cluster, rising within each.
    private let token: [Int32]
    private let first: any PreparingOperator

    /// An operator over the parts of `packed`.
    ///
    /// - Throws: `PackedMatrixError` where parts are missing or wrong, or a token's cluster is.
    package init(_ packed: PackedMatrix, instructions: InstructionSet = .best) throws(PackedMatrixError) {
        guard let family = packed.scheme.family as? any RowClusters else { throw .notRunnable(packed.scheme) }
        try packed.checkParts()
        rows = packed.rows
        columns = packed.columns
        var clusters: [any PreparingOperator] = []
        var token: [Int32] = []
        for (index, tokens) in try packed.members(family).enumerated() where !tokens.isEmpty || rows == 0 {
            token += tokens.map(Int32.init)
            let codes = try packed.cluster(index, of: family, rows: tokens.count)
            guard
                let matrix = try LinearOperators.make(codes, instructions: instructions)
                    as? any PreparingOperator
            else { throw .notRunnable(packed.scheme) }
            clusters.append(matrix)
        }
        guard let first = clusters.first else { throw .notRunnable(packed.scheme) }
        self.clusters = clusters
        self.first = first
        self.token = token
    }

    /// Bytes of codes, scales and tokens.
    package var residentBytes: Int { clusters.reduce(4 * rows) { $0 + $1.residentBytes } }

    /// What every cluster needs of the activations.
    package var preparation: Preparation { first.preparation }

    /// As the clusters' codes have it.
    package func preparedBytes(tokens: Int) -> Int { first.preparedBytes(tokens: tokens) }

    /// Prepares the activations once for all clusters.
    package func prepare(_ x: UnsafePointer<Float>, tokens: Int, into prepared: UnsafeMutableRawPointer) {
        first.prepare(x, tokens: tokens, into: prepared)
    }

    /// `y = x W^T`, outputs in the order of tokens.
    package func multiply(prepared: UnsafeRawPointer, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        // A cluster at a time, so that only one cluster's outputs lie in memory twice.
        let largest = clusters.map(\.rows).max() ?? 0
        withUnsafeTemporaryAllocation(of: Float.self, capacity: tokens * largest + 1) { scratch in
            guard let base = scratch.baseAddress else { return }
            token.withUnsafeBufferPointer { token in
                var start = 0
                for matrix in clusters {
                    matrix.multiply(prepared: prepared, tokens: tokens, into: base)
                    for t in 0..<tokens {
                        let (from, to) = (base + t * matrix.rows, y + t * rows)
                        for row in 0..<matrix.rows { to[Int(token[start + row])] = from[row] }
                    }
                    start += matrix.rows
                }
            }
        }
    }

    /// The row of token `row`, dequantized.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        var start = 0
        for cluster in clusters {
            let end = start + cluster.rows
            var (low, high) = (start, end)
            while low < high {
                let middle = (low + high) / 2
                if token[middle] < row { low = middle + 1 } else { high = middle }
            }
            if low < end, token[low] == row { return cluster.copyRow(low - start, into: destination) }
            start = end
        }
    }
}
