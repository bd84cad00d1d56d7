import BitplanTensors
import Foundation
import PlanFormat

extension Scheme.ClusteredCodes: TrainableScheme {}
extension Scheme.TrellisClusters: TrainableScheme {}

extension TrainableScheme where Self: RowClusters {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try TrainableClusters(self, packed)
    }
}

/// Codes in clusters of rows under training: each cluster is a matrix of its own; which rows it has stays.
struct TrainableClusters: TrainableCodes {
    private let family: any RowClusters
    private let rows: Int
    private let columns: Int
    private let membership: PackedTensor
    private let members: [[Int]]
    private var clusters: [any TrainableCodes]

    init(_ family: any RowClusters, _ packed: PackedMatrix) throws(PackedMatrixError) {
        self.family = family
        (rows, columns) = (packed.rows, packed.columns)
        membership = try packed.part("cluster")
        members = try packed.members(family)
        clusters = []
        for (cluster, rows) in members.enumerated() {
            guard let scheme = family.codes(of: cluster) as? any TrainableScheme else {
                throw .notDecodable(packed.scheme)
            }
            clusters.append(try scheme.trainable(packed.cluster(cluster, of: family, rows: rows.count)))
        }
    }

    /// The clusters' numbers, one cluster after the other.
    var numbers: [Float] {
        get { clusters.flatMap(\.numbers) }
        set {
            var start = 0
            for index in clusters.indices {
                let count = clusters[index].numbers.count
                clusters[index].numbers = Array(newValue[start..<start + count])
                start += count
            }
        }
    }

    func decoded() -> Matrix {
        var decoded = Matrix(rows: rows, columns: columns)
        for (cluster, tokens) in members.enumerated() {
            decoded.set(clusters[cluster].decoded(), rows: tokens)
        }
        return decoded
    }

    func numbersGradient(_ gradient: Matrix) -> [Float] {
        members.enumerated().flatMap { cluster, tokens in
            clusters[cluster].numbersGradient(gradient.gathering(rows: tokens))
        }
    }

    func passThrough(_ gradient: inout Matrix, latent: Matrix) {
        for (cluster, tokens) in members.enumerated() {
            var own = gradient.gathering(rows: tokens)
            clusters[cluster].passThrough(&own, latent: latent.gathering(rows: tokens))
            gradient.set(own, rows: tokens)
        }
    }

    mutating func recode(_ latent: Matrix, threads: Int?) {
        for (cluster, tokens) in members.enumerated() {
            clusters[cluster].recode(latent.gathering(rows: tokens), threads: threads)
        }
    }

    /// Rows stay in their clusters.
    mutating func refit(_ latent: Matrix, as _: Scheme, threads: Int?) throws {
        for (cluster, tokens) in members.enumerated() {
            try clusters[cluster].refit(
                latent.gathering(rows: tokens), as: family.codes(of: cluster).scheme, threads: threads)
        }
    }

    func packed() throws -> PackedMatrix {
        PackedMatrix(
            family, membership: membership, clusters: try clusters.map { try $0.packed() }, columns: columns)
    }
}

extension Matrix {
    /// Replaces the rows at `places` by those of another matrix.
    mutating func set(_ other: Matrix, rows places: [Int]) {
        for (row, place) in places.enumerated() {
            storage.replaceSubrange(place * columns..<(place + 1) * columns, with: other[row: row])
        }
    }
}
