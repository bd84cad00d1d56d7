import BitplanKernels
import BitplanTensors
import Foundation
import PlanFormat

/// Operators over random weights: a product takes the same time whatever its codes, so no encoder is needed.
package enum RandomWeights {
    /// An operator of this scheme and shape.
    ///
    /// - Throws: `PackedMatrixError` where the scheme has no kernel for the shape.
    package static func make(
        _ scheme: Scheme, rows: Int, columns: Int, seed: UInt64
    ) throws(PackedMatrixError) -> any LinearOperator {
        try LinearOperators.make(packed(scheme, rows: rows, columns: columns, seed: seed))
    }

    /// The packed matrix.
    package static func packed(_ scheme: Scheme, rows: Int, columns: Int, seed: UInt64) -> PackedMatrix {
        var generator = SeededGenerator(seed: seed)
        var parts: [String: PackedTensor] = [:]
        for part in scheme.parts(rows: rows, columns: columns) {
            let bytes: Data
            switch part.values {
            case .classes(let sizes): bytes = shuffled(sizes, &generator)
            // Not every index is one of the codewords, but zero is.
            case .indices(let bits, let count) where count < 1 << bits:
                bytes = Data(count: part.sizeInBytes)
            case .indices, .any: bytes = random(part.type, byteCount: part.sizeInBytes, &generator)
            }
            parts[part.name] = PackedTensor(type: part.type, shape: part.shape, bytes: bytes)
        }
        return PackedMatrix(scheme: scheme, rows: rows, columns: columns, parts: parts)
    }

    /// Normal activations of (tokens, columns).
    package static func activations(tokens: Int, columns: Int, seed: UInt64 = 1) -> Matrix {
        var generator = SeededGenerator(seed: seed)
        return Matrix(
            rows: tokens, columns: columns,
            storage: (0..<tokens * columns).map { _ in Float(generator.normal()) })
    }

    /// Any bytes for integers; for reals such that they lie from 1/64 up to 1/32, finite whatever the
    /// generator says.
    private static func random(
        _ type: ElementType, byteCount: Int, _ generator: inout SeededGenerator
    ) -> Data {
        let (clear, set): (UInt64, UInt64) =
            switch type {
            case .float32: (0x007f_ffff_007f_ffff, 0x3c80_0000_3c80_0000)
            case .float16: (0x03ff_03ff_03ff_03ff, 0x2400_2400_2400_2400)
            default: (.max, 0)
            }
        return alignedData(byteCount: byteCount) { buffer in
            for i in stride(from: 0, to: buffer.count, by: 8) {
                var word = generator.next() & clear | set
                withUnsafeBytes(of: &word) {
                    buffer[i..<min(i + 8, buffer.count)].copyBytes(from: $0.prefix(buffer.count - i))
                }
            }
        }
    }

    /// The class of every row, in random order; class i has `sizes[i]` rows.
    private static func shuffled(_ sizes: [Int], _ generator: inout SeededGenerator) -> Data {
        var classes = sizes.enumerated().flatMap { [UInt8](repeating: UInt8($0), count: $1) }
        for i in classes.indices.dropFirst().reversed() {
            classes.swapAt(i, generator.index(below: i + 1))
        }
        return Data(classes)
    }
}
