import BitplanTensors
import CBitplanKernels
import Foundation
import PlanFormat

extension Scheme.ClusteredCodes: RunnableScheme {
    var operatorType: any PackedOperator.Type { ClusteredCodeMatrix.self }
}

/// An embedding in clusters of rows with different numbers of planes, run from its stored bytes.
///
/// Rows are looked up, and outputs stand, in the order of tokens: the order of clusters is undone here.
///
/// - Parts: `cluster` U8 (rows), the cluster of each token, whose rows stand in token order; for cluster i
///   with rows, `signs.<i>` U8 (bits, size, ceil(columns / 8)), interleaved, and `alphas.<i>` (size, 1,
///   bits), bits being clusters - i.
/// - Source: Chung et al. 2020, Algorithm 1.
package final class ClusteredCodeMatrix: PreparingOperator, PackedOperator {
    /// Tokens.
    package let rows: Int
    /// Channels.
    package let columns: Int
    private let clusters: [BinaryCodeMatrix]
    /// The cluster of each token, numbered as `clusters`.
    private let cluster: [UInt8]
    /// The packed row of each token.
    private let place: [Int32]
    private let first: BinaryCodeMatrix
    private let instructions: InstructionSet

    /// An operator over the parts of `packed`.
    ///
    /// - Throws: `PackedMatrixError` where parts are missing or wrong, or a token's cluster is.
    package init(_ packed: PackedMatrix, instructions: InstructionSet = .best) throws(PackedMatrixError) {
        guard case .clusteredCodes(let codes) = packed.scheme else { throw .notRunnable(packed.scheme) }
        try packed.checkParts()
        rows = packed.rows
        columns = packed.columns
        let count = codes.clusters
        let sizes = codes.sizes(rows: rows)
        var starts = sizes.indices.map { sizes[..<$0].reduce(0, +) }
        let ends = sizes.indices.map { starts[$0] + sizes[$0] }
        var members = [UInt8](repeating: 0, count: rows)
        var place = [Int32](repeating: 0, count: rows)
        // Clusters without rows have no number among those that run.
        let numbers = sizes.indices.map { i in UInt8(sizes[..<i].count { $0 > 0 }) }
        for (token, cluster) in try packed.part("cluster").bytes.enumerated() {
            guard cluster < count, starts[Int(cluster)] < ends[Int(cluster)] else {
                throw .badValue(
                    scheme: packed.scheme, name: "cluster", index: token,
                    message: "cluster \(cluster) is not one of \(count), or has too many tokens")
            }
            members[token] = numbers[Int(cluster)]
            place[token] = Int32(starts[Int(cluster)])
            starts[Int(cluster)] += 1
        }
        var clusters: [BinaryCodeMatrix] = []
        for (i, size) in sizes.enumerated() where size > 0 {
            clusters.append(
                BinaryCodeMatrix(
                    signs: try packed.part("signs.\(i)").bytes,
                    alphas: try packed.part("alphas.\(i)").floats, bits: codes.codes(of: i).bits, rows: size,
                    columns: columns, group: nil, normalizes: false, instructions: instructions))
        }
        self.clusters = clusters
        cluster = members
        self.place = place
        self.instructions = min(instructions, .best)
        first =
            clusters.first
            ?? BinaryCodeMatrix(
                signs: .init(), alphas: [], bits: 1, rows: 0, columns: columns, group: nil, normalizes: false,
                instructions: instructions)
    }

    /// Bytes of signs, alphas, clusters and places.
    package var residentBytes: Int { clusters.reduce(5 * rows) { $0 + $1.residentBytes } }

    /// The tables that every cluster needs.
    package var preparation: Preparation { first.preparation }

    /// 8 bytes of tables for each column.
    package func preparedBytes(tokens: Int) -> Int { first.preparedBytes(tokens: tokens) }

    /// Rounds the activations and makes their tables.
    package func prepare(_ x: UnsafePointer<Float>, tokens: Int, into prepared: UnsafeMutableRawPointer) {
        first.prepare(x, tokens: tokens, into: prepared)
    }

    /// `y = x W^T`, outputs in the order of tokens.
    package func multiply(prepared: UnsafeRawPointer, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        // A cluster at a time, so that only one cluster's outputs lie in memory twice.
        let largest = clusters.map(\.rows).max() ?? 0
        withUnsafeTemporaryAllocation(of: Float.self, capacity: tokens * largest + 1) { scratch in
            guard let base = scratch.baseAddress else { return }
            for (number, matrix) in clusters.enumerated() {
                matrix.multiply(prepared: prepared, tokens: tokens, into: base)
                for t in 0..<tokens {
                    bp_merge(
                        instructions.code, cluster, rows, number, base + t * matrix.rows, y + t * rows)
                }
            }
        }
    }

    /// The row of token `row`, dequantized.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        var packedRow = Int(place[row])
        for cluster in clusters {
            if packedRow < cluster.rows {
                cluster.copyRow(packedRow, into: destination)
                return
            }
            packedRow -= cluster.rows
        }
    }
}
