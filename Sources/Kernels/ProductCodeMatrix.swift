import BitplanTensors
import CBitplanKernels
import Foundation
import PlanFormat

extension Scheme.ProductCodes: RunnableScheme {
    var operatorType: any PackedOperator.Type { ProductCodeMatrix.self }
}

/// Product codes run from their stored bytes: each subvector of a row is one of the book's codewords.
///
/// The book is decoded to FP32 once; indices are read as they are. What a codeword and a subvector of the
/// activations come to is computed once for all rows. A row's sum runs through the subvectors in order,
/// whatever the number of tokens.
///
/// - Parts: `indices` U8, a stream of rows * ceil(columns / block) indices of ceil(log2(centroids)) bits,
///   lowest bit first; `centroids` F16 (centroids, block), or I8 with `centroidScale` F32 (1).
/// - Source: QuantNoise (Stock, Fan et al. 2020), section 2.
package final class ProductCodeMatrix: LinearOperator, PackedOperator {
    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    private let block: Int
    private let indexBits: Int
    private let perRow: Int
    /// Codewords with the zeros behind them: a multiple of 16.
    private let codewords: Int
    /// (block, codewords).
    private let book: [Float]
    private let indices: Data
    private let activations: Activations
    private let instructions: InstructionSet

    /// An operator over the parts of `packed`. Indices are not copied.
    ///
    /// - Throws: `PackedMatrixError` where parts are missing or wrong, or an index is beyond the book.
    package init(_ packed: PackedMatrix, instructions: InstructionSet = .best) throws(PackedMatrixError) {
        guard case .productCodes(let scheme) = packed.scheme else { throw .notRunnable(packed.scheme) }
        try packed.checkParts()
        rows = packed.rows
        columns = packed.columns
        block = scheme.block
        activations = scheme.activations
        self.instructions = min(instructions, .best)
        perRow = scheme.subvectors(columns: columns)
        indexBits = scheme.indexBits
        let count = scheme.centroids
        codewords = ceilDivide(count, 16) * 16
        indices = try packed.part("indices").bytes
        let centroids: [Float]
        switch scheme.storage {
        case .fp16: centroids = try packed.part("centroids").floats
        case .int8:
            let scale = try packed.part("centroidScale").floats[0]
            centroids = try packed.part("centroids").bytes.map {
                scale * Float(Int8(bitPattern: $0))
            }
        }
        var book = [Float](repeating: 0, count: block * codewords)
        for i in centroids.indices { book[i % block * codewords + i / block] = centroids[i] }
        self.book = book
        if count < 1 << indexBits {
            let stored = indices
            let bits = indexBits
            for i in 0..<rows * perRow {
                let index = stored.withUnsafeBytes { Self.index(i, in: $0, bits: bits) }
                guard index < count else {
                    throw .badValue(
                        scheme: packed.scheme, name: "indices", index: i,
                        message: "\(index) of \(count) centroids")
                }
            }
        }
    }

    /// Bytes of indices and book.
    package var residentBytes: Int { indices.count + 4 * book.count }

    /// `y = x W^T`, FP32, of activations as the scheme takes them.
    package func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        let width = perRow * block
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, tokens * width)) { scratch in
            guard let padded = scratch.baseAddress else { return }
            for t in 0..<tokens {
                let row = padded + t * width
                row.update(from: x + t * columns, count: columns)
                activations.quantize(row, count: columns)
                (row + columns).update(repeating: 0, count: width - columns)
            }
            ProductTeam.forEachPart(of: rows, work: indices.count * tokens) { [self] part in
                multiply(padded, tokens: tokens, part, into: y)
            }
        }
    }

    private func multiply(
        _ x: UnsafePointer<Float>, tokens: Int, _ part: bp_part, into y: UnsafeMutablePointer<Float>
    ) {
        indices.withUnsafeBytes { raw in
            book.withUnsafeBufferPointer { book in
                var weights = bp_product_codes(
                    indices: raw.bindMemory(to: UInt8.self).baseAddress, bits: indexBits, rows: rows,
                    per_row: perRow, book: book.baseAddress, codewords: codewords, block: block)
                let count = bp_product_codes_scratch(&weights, part)
                withUnsafeTemporaryAllocation(byteCount: 4 * count, alignment: 64) { scratch in
                    bp_product_codes_multiply(
                        instructions.code, &weights, x, tokens, part,
                        scratch.bindMemory(to: Float.self).baseAddress, y)
                }
            }
        }
    }

    /// Row `row`, dequantized.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        indices.withUnsafeBytes { raw in
            for c in 0..<columns {
                let index = Self.index(row * perRow + c / block, in: raw, bits: indexBits)
                destination[c] = book[c % block * codewords + index]
            }
        }
    }

    private static func index(_ i: Int, in stream: UnsafeRawBufferPointer, bits: Int) -> Int {
        let at = i * bits
        let next = at / 8 + 1 < stream.count ? Int(stream[at / 8 + 1]) << 8 : 0
        return (Int(stream[at / 8]) | next) >> (at % 8) & ((1 << bits) - 1)
    }
}
