import BitplanTensors
import CBitplanKernels

/// FP32 weights as sums of two BF16 numbers each, for products of many tokens on tiles of BF16.
///
/// With a number split into h, the nearest BF16, and l, the nearest to what is left, a product is h h' + h l'
/// + l h', in FP32 sums: it errs by about 2^-16 of itself, where FP32 errs by 2^-24. What is measured over
/// thousands of tokens does not need more, and tiles are faster (`bitplan-bench --only split`). A token's
/// result in a batch equals its result alone, bit for bit.
///
/// - Source: Henry et al. 2019, Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision
///   Computations.
/// - Complexity: `multiply` takes O(tokens * rows * columns).
package final class SplitMatrix: LinearOperator {
    /// Whether this machine has tiles of BF16; without them products are only right.
    package static let isFast = InstructionSet.best == .amx && bp_split_is_fast() != 0

    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    private let tiles: AlignedMemory
    private let usesTiles: Bool

    /// An operator over a copy of `matrix`.
    package init(_ matrix: Matrix, usesTiles: Bool = isFast) {
        rows = matrix.rows
        columns = matrix.columns
        self.usesTiles = usesTiles && Self.isFast
        tiles = AlignedMemory(byteCount: 2 * bp_split_count(rows, columns))
        matrix.storage.withUnsafeBufferPointer {
            guard let weights = $0.baseAddress else { return }
            bp_split_pack(weights, rows, columns, tiles.base.assumingMemoryBound(to: UInt16.self))
        }
    }

    /// Bytes of the tiles.
    package var residentBytes: Int { tiles.byteCount }

    /// `y = x W^T`, to about 16 bits.
    package func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        guard tokens > 0, rows > 0 else { return }
        let count = usesTiles ? bp_split_scratch(columns, tokens) : 0
        withUnsafeTemporaryAllocation(byteCount: 2 * count, alignment: 64) { scratch in
            bp_split_multiply(
                usesTiles ? 1 : 0, tiles.base.assumingMemoryBound(to: UInt16.self), rows, columns, x, tokens,
                y, scratch.baseAddress?.assumingMemoryBound(to: UInt16.self))
        }
    }

    /// Row `row` of W, to about 16 bits.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        bp_split_copy_row(tiles.base.assumingMemoryBound(to: UInt16.self), columns, row, destination)
    }
}
