import Foundation
import PlanFormat
import Tensors

/// Product codes: each row is cut into subvectors of `block` columns, each replaced by one of `centroids` codewords that the
/// whole matrix shares. A last subvector that is cut short is padded with zeros.
///
/// Parts: `indices` U8, a `DenseBits` stream of rows * ceil(columns / block) indices of ceil(log2(centroids)) bits, row by
/// row; `centroids` F16 (centroids, block), or I8 with `centroidScale` F32 (1): `c = centroidScale * code`. Codewords beyond the
/// different subvectors are zeros.
/// - Source: QuantNoise (Stock, Fan et al. 2020), section 2; iPQ's shared code book.
enum ProductCodes {
    static let iterations = 25

    static func encode(
        _ weights: Matrix, block: Int, centroids count: Int, storage: Scheme.CentroidType,
        context: CalibrationContext
    ) throws(QuantizationError) -> PackedMatrix {
        if storage == .fp16 { try FullPrecision.checkHalf(weights) }
        let vectors = subvectors(weights, block: block)
        // 256 vectors a centroid are enough to place it.
        let clusters = KMeans(
            vectors, count: count, iterations: iterations, start: .plusPlus(seed: context.seed),
            trainingLimit: 256 * count, threads: context.threads)
        var book = Matrix(rows: count, columns: block)
        for (index, value) in clusters.centroids.storage.enumerated() { book.storage[index] = value }

        let tensor: PackedTensor
        var scaleParts: [String: PackedTensor] = [:]
        switch storage {
        case .fp16:
            for index in book.storage.indices {
                book.storage[index] = HalfPrecision.rounded(book.storage[index])
            }
            tensor = PackedTensor(shape: [count, block], floats: book.storage, as: .fp16)
        case .int8:
            let grid = UniformGrid(
                symmetricUpTo: book.storage.reduce(0) { max($0, abs($1)) }, bits: 8, type: .fp32)
            var codes = Data(count: count * block)
            for index in book.storage.indices {
                let code = Int(grid.code(Double(book.storage[index]), lowest: 1)) - 128
                codes[index] = UInt8(bitPattern: Int8(code))
                book.storage[index] = grid.scale * Float(code)
            }
            tensor = PackedTensor(type: .int8, shape: [count, block], bytes: codes)
            scaleParts["centroidScale"] = PackedTensor(shape: [1], floats: [grid.scale])
        }
        // Rounding moved the codewords: nearest is asked again, of the ones in use.
        let used = Matrix(
            rows: clusters.centroids.rows, columns: block,
            storage: Array(book.storage.prefix(clusters.centroids.storage.count)))
        let indices = KMeans.assign(vectors, to: used, threads: context.threads).indices.map { UInt8($0) }
        let bytes = DenseBits.packedRows(indices, rows: 1, columns: indices.count, bits: indexBits(count))
        return PackedMatrix(
            scheme: .productCodes(block: block, centroids: count, storage: storage), rows: weights.rows,
            columns: weights.columns,
            parts: [
                "indices": PackedTensor(type: .uint8, shape: [bytes.count], bytes: bytes),
                "centroids": tensor,
            ]
            .merging(scaleParts) { first, _ in first })
    }

    static func decode(
        _ packed: PackedMatrix, block: Int, centroids count: Int, storage: Scheme.CentroidType
    ) throws(QuantizationError) -> Matrix {
        let perRow = (packed.columns + block - 1) / block
        let indices = DenseBits.unpackedRows(
            try packed.part("indices").bytes, rows: 1, columns: packed.rows * perRow, bits: indexBits(count))
        let tensor = try packed.part("centroids")
        var book: [Float]
        switch storage {
        case .fp16: book = tensor.floats
        case .int8:
            let scale = try packed.part("centroidScale").floats[0]
            book = tensor.bytes.map { scale * Float(Int8(bitPattern: $0)) }
        }
        if let bad = indices.first(where: { Int($0) >= count }) {
            throw .invalidPart("indices", reason: "index \(bad) of \(count) centroids")
        }
        var decoded = Matrix(rows: packed.rows, columns: packed.columns)
        for row in 0..<packed.rows {
            for column in 0..<packed.columns {
                let index = Int(indices[row * perRow + column / block])
                decoded.storage[row * packed.columns + column] = book[index * block + column % block]
            }
        }
        return decoded
    }

    /// Bits of an index.
    static func indexBits(_ centroids: Int) -> Int {
        centroids <= 2 ? 1 : Int.bitWidth - (centroids - 1).leadingZeroBitCount
    }

    /// The subvectors of all rows, (rows * ceil(columns / block), block).
    static func subvectors(_ weights: Matrix, block: Int) -> Matrix {
        let perRow = (weights.columns + block - 1) / block
        var vectors = Matrix(rows: weights.rows * perRow, columns: block)
        for row in 0..<weights.rows {
            for column in 0..<weights.columns {
                vectors.storage[row * perRow * block + column] =
                    weights.storage[row * weights.columns + column]
            }
        }
        return vectors
    }
}
