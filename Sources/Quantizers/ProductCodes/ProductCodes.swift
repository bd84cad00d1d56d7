import BitplanTensors
import Foundation
import PlanFormat

/// Product codes: each row is cut into subvectors of `block` columns, each replaced by one of `centroids`
/// codewords that the whole matrix shares. Of a last subvector that is cut short only the columns that exist
/// count.
///
/// Parts: `indices` U8, a `DenseBits` stream of rows * ceil(columns / block) indices of ceil(log2(centroids))
/// bits, row by row; `centroids` F16 (centroids, block), or I8 with `centroidScale` F32 (1): `c =
/// centroidScale * code`. Codewords beyond the different subvectors are zeros.
/// - Source: QuantNoise (Stock, Fan et al. 2020), section 2; iPQ's shared code book.
extension Scheme.ProductCodes: SchemeCodec {
    private static let iterations = 25

    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext)
        throws(QuantizationError) -> PackedMatrix
    {
        if storage == .fp16 { try weights.checkHalf() }
        let count = centroids
        let vectors = Subvectors(weights, block: block)
        let chosen = vectors.exactBook(limit: count) ?? trainedBook(vectors, context: context)
        var book = Matrix(rows: count, columns: block)
        for (index, value) in chosen.storage.enumerated() { book.storage[index] = value }

        let stored = stored(book.storage)
        book.storage = stored.book
        // Rounding moved the codewords: nearest is asked again, of the ones in use.
        let used = Matrix(
            rows: chosen.rows, columns: block, storage: Array(book.storage.prefix(chosen.storage.count)))
        let indices = vectors.nearest(in: used, threads: context.threads)
        return packed(indices, stored.parts, rows: weights.rows, columns: weights.columns)
    }

    /// A book of codewords as it is stored, and its parts.
    func stored(_ book: [Float]) -> (book: [Float], parts: [String: PackedTensor]) {
        let shape = [centroids, block]
        switch storage {
        case .fp16:
            let rounded = book.map(Scheme.FloatType.fp16.stored)
            return (rounded, ["centroids": PackedTensor(shape: shape, floats: rounded, as: .fp16)])
        case .int8:
            let grid = UniformGrid(
                symmetricUpTo: book.reduce(0) { max($0, abs($1)) }, bits: 8, type: .fp32)
            let codes = book.map { Int8(Int(grid.code(Double($0), lowest: 1)) - 128) }
            return (
                codes.map { grid.scale * Float($0) },
                [
                    "centroids": PackedTensor(
                        type: .int8, shape: shape, bytes: codes.withUnsafeBytes { Data($0) }),
                    "centroidScale": PackedTensor(shape: [1], floats: [grid.scale]),
                ]
            )
        }
    }

    /// A packed matrix of one index a subvector and the parts of a book.
    func packed(
        _ indices: [UInt8], _ book: [String: PackedTensor], rows: Int, columns: Int
    ) -> PackedMatrix {
        let bytes = DenseBits.packedRows(indices, rows: 1, columns: indices.count, bits: indexBits)
        var parts = book
        parts["indices"] = PackedTensor(type: .uint8, shape: [bytes.count], bytes: bytes)
        return PackedMatrix(scheme: scheme, rows: rows, columns: columns, parts: parts)
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        let (indices, book) = try unpacked(packed)
        return decoded(indices, book, rows: packed.rows, columns: packed.columns)
    }

    /// The index of every subvector, and the codewords (centroids, block).
    func unpacked(_ packed: PackedMatrix) throws(PackedMatrixError) -> (indices: [UInt8], book: [Float]) {
        let perRow = subvectors(columns: packed.columns)
        let indices = DenseBits.unpackedRows(
            try packed.part("indices").bytes, rows: 1, columns: packed.rows * perRow, bits: indexBits)
        let tensor = try packed.part("centroids")
        let book: [Float]
        switch storage {
        case .fp16: book = tensor.floats
        case .int8:
            let scale = try packed.part("centroidScale").floats[0]
            book = tensor.bytes.map { scale * Float(Int8(bitPattern: $0)) }
        }
        if let bad = indices.firstIndex(where: { Int($0) >= centroids }) {
            throw .badValue(
                scheme: scheme, name: "indices", index: bad,
                message: "\(indices[bad]) of \(centroids) centroids")
        }
        return (indices, book)
    }

    /// The weights of these subvectors.
    func decoded(_ indices: [UInt8], _ book: [Float], rows: Int, columns: Int) -> Matrix {
        let perRow = subvectors(columns: columns)
        var decoded = Matrix(rows: rows, columns: columns)
        for row in 0..<rows {
            for column in 0..<columns {
                let index = Int(indices[row * perRow + column / block])
                decoded.storage[row * columns + column] = book[index * block + column % block]
            }
        }
        return decoded
    }

    private func trainedBook(_ vectors: Subvectors, context: CalibrationContext) -> Matrix {
        // 256 vectors a centroid are enough to place it.
        KMeans(
            vectors.padded, count: centroids, iterations: Self.iterations,
            start: .plusPlus(seed: context.seed), trainingLimit: 256 * centroids, threads: context.threads
        ).centroids
    }
}

/// The subvectors of a matrix: whole ones, and the ends of rows where the block does not divide the columns.
struct Subvectors {
    private let weights: Matrix
    private let block: Int
    private let wholePerRow: Int
    private let tailWidth: Int

    init(_ weights: Matrix, block: Int) {
        self.weights = weights
        self.block = block
        wholePerRow = weights.columns / block
        tailWidth = weights.columns % block
    }

    /// All subvectors row by row, (rows * ceil(columns / block), block), short ones with zeros.
    var padded: Matrix {
        let perRow = wholePerRow + (tailWidth > 0 ? 1 : 0)
        var vectors = Matrix(rows: weights.rows * perRow, columns: block)
        for row in 0..<weights.rows {
            for column in 0..<weights.columns {
                vectors.storage[row * perRow * block + column] =
                    weights.storage[row * weights.columns + column]
            }
        }
        return vectors
    }

    /// A book that has every subvector, where `limit` codewords suffice: decoded weights are encoded without
    /// loss.
    func exactBook(limit: Int) -> Matrix? {
        guard let book = KMeans.distinctRows(columns(0..<wholePerRow * block, width: block), limit: limit)
        else {
            return nil
        }
        let starts = Set((0..<book.rows).map { Array(book[row: $0].prefix(tailWidth)) })
        guard let tails = KMeans.distinctRows(tails, limit: limit + starts.count) else { return nil }
        let missing = (0..<tails.rows).filter { !starts.contains(Array(tails[row: $0])) }
        guard book.rows + missing.count <= limit else { return nil }
        var storage = book.storage
        for row in missing {
            storage += Array(tails[row: row]) + [Float](repeating: 0, count: block - tailWidth)
        }
        return Matrix(rows: book.rows + missing.count, columns: block, storage: storage)
    }

    /// The nearest codeword of each subvector, row by row.
    func nearest(in book: Matrix, threads: Int?) -> [UInt8] {
        let whole = KMeans.assign(columns(0..<wholePerRow * block, width: block), to: book, threads: threads)
            .indices
        guard tailWidth > 0 else { return whole.map { UInt8($0) } }
        let starts = Matrix(
            rows: book.rows, columns: tailWidth,
            storage: (0..<book.rows).flatMap { book[row: $0].prefix(tailWidth) })
        let ends = KMeans.assign(tails, to: starts, threads: threads).indices
        return (0..<weights.rows).flatMap { row in
            whole[row * wholePerRow..<(row + 1) * wholePerRow].map { UInt8($0) } + [UInt8(ends[row])]
        }
    }

    private var tails: Matrix {
        guard tailWidth > 0 else { return Matrix(rows: 0, columns: 0) }
        return columns(wholePerRow * block..<weights.columns, width: tailWidth)
    }

    /// A run of columns of all rows, cut in vectors of `width`.
    private func columns(_ range: Range<Int>, width: Int) -> Matrix {
        var storage: [Float] = []
        storage.reserveCapacity(weights.rows * range.count)
        for row in 0..<weights.rows {
            storage +=
                weights.storage[
                    row * weights.columns + range.lowerBound..<row * weights.columns + range.upperBound]
        }
        return Matrix(rows: storage.count / width, columns: width, storage: storage)
    }
}
