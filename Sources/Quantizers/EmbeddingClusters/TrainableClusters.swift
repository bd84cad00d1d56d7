import BitplanTensors
import Foundation
import PlanFormat

extension Scheme.ClusteredCodes: TrainableScheme {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try TrainableClusters(self, packed)
    }
}

/// Clustered binary codes under training: each cluster is a matrix of binary codes; which rows it has stays.
struct TrainableClusters: TrainableCodes {
    private let scheme: Scheme.ClusteredCodes
    private let rows: Int
    private let columns: Int
    private let membership: PackedTensor
    private let members: [[Int]]
    private var clusters: [TrainableBinaryCodes]

    init(_ scheme: Scheme.ClusteredCodes, _ packed: PackedMatrix) throws(PackedMatrixError) {
        self.scheme = scheme
        (rows, columns) = (packed.rows, packed.columns)
        membership = try packed.part("cluster")
        members = try scheme.members(packed)
        clusters = []
        for (cluster, tokens) in members.enumerated() {
            clusters.append(
                TrainableBinaryCodes(
                    scheme.codes(of: cluster), signs: try packed.part("signs.\(cluster)"),
                    alphas: try packed.part("alphas.\(cluster)").floats, rows: tokens.count, columns: columns)
            )
        }
    }

    /// The clusters' alphas, one cluster after the other.
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
                latent.gathering(rows: tokens), as: scheme.codes(of: cluster).scheme, threads: threads)
        }
    }

    func packed() -> PackedMatrix {
        var parts = ["cluster": membership]
        for (cluster, tokens) in members.enumerated() {
            let codes = scheme.codes(of: cluster)
            let (signs, alphas) = clusters[cluster].planes()
            parts["signs.\(cluster)"] = PackedTensor(
                type: .uint8, shape: [codes.bits, tokens.count, SignPlanes.rowBytes(columns: columns)],
                bytes: signs)
            parts["alphas.\(cluster)"] = PackedTensor(
                shape: [tokens.count, 1, codes.bits], floats: alphas, as: scheme.alphas)
        }
        return PackedMatrix(scheme: scheme.scheme, rows: rows, columns: columns, parts: parts)
            .inStoredOrder()
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
