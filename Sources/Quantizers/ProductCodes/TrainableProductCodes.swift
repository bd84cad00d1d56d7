import BitplanTensors
import Foundation
import PlanFormat

extension Scheme.ProductCodes: TrainableScheme {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try TrainableProductCodes(self, packed)
    }
}

/// Product codes under training: codewords are learned. The gradient of one is the sum over the subvectors
/// that it stands for; with codewords in 8 bits it passes their rounding as it is.
///
/// Latent weights take the nearest codeword; the gradient reaches them as it is.
/// - Source: QuantNoise (Stock, Fan et al. 2020), section 2, whose own step divides by the number of
///   subvectors: Adam's step does not depend on it.
struct TrainableProductCodes: TrainableCodes {
    private let scheme: Scheme.ProductCodes
    private let rows: Int
    private let columns: Int
    private var indices: [UInt8]
    /// (centroids, block).
    var numbers: [Float]

    init(_ scheme: Scheme.ProductCodes, _ packed: PackedMatrix) throws(PackedMatrixError) {
        self.scheme = scheme
        (rows, columns) = (packed.rows, packed.columns)
        (indices, numbers) = try scheme.unpacked(packed)
    }

    private var perRow: Int { scheme.subvectors(columns: columns) }

    func decoded() -> Matrix {
        scheme.decoded(indices, scheme.stored(numbers).book, rows: rows, columns: columns)
    }

    func numbersGradient(_ gradient: Matrix) -> [Float] {
        let (block, perRow) = (scheme.block, perRow)
        var sums = [Float](repeating: 0, count: numbers.count)
        for row in 0..<rows {
            for column in 0..<columns {
                let index = Int(indices[row * perRow + column / block])
                sums[index * block + column % block] += gradient[row, column]
            }
        }
        return sums
    }

    mutating func recode(_ latent: Matrix, threads: Int?) {
        let book = Matrix(
            rows: scheme.centroids, columns: scheme.block, storage: scheme.stored(numbers).book)
        indices = Subvectors(latent, block: scheme.block).nearest(in: book, threads: threads)
    }

    func packed() -> PackedMatrix {
        scheme.packed(indices, scheme.stored(numbers).parts, rows: rows, columns: columns).inStoredOrder()
    }
}
