import BitplanKernels
import BitplanTensors
import Foundation
import PlanFormat

/// Random packed matrices in stored order: every byte of codes is a possible one, so the codes need no encoder.
enum RandomMatrices {
    /// A packed matrix under `scheme`, its codes on huge pages where they are large.
    static func packed(_ scheme: Scheme, rows: Int, columns: Int, seed: UInt64) -> PackedMatrix {
        var generator = SeededGenerator(seed: seed)
        func bytes(_ type: ElementType, _ shape: [Int]) -> PackedTensor {
            let data = alignedData(byteCount: shape.reduce(type.sizeInBytes, *)) { buffer in
                for i in stride(from: 0, to: buffer.count & ~7, by: 8) {
                    buffer.storeBytes(of: generator.next(), toByteOffset: i, as: UInt64.self)
                }
            }
            return PackedTensor(type: type, shape: shape, bytes: data)
        }
        func numbers(_ shape: [Int]) -> PackedTensor {
            let numbers = (0..<shape.reduce(1, *)).map { _ in Float(0.5 + generator.uniform()) / 64 }
            return PackedTensor(type: .float32, shape: shape, bytes: numbers.withUnsafeBytes { Data($0) })
        }
        let planeBytes = (columns + 7) / 8
        let parts: [String: PackedTensor]
        switch scheme {
        case .binaryCodes(let bits, let group, _):
            let groups = group.map { (columns + $0 - 1) / $0 } ?? 1
            parts = [
                "signs": bytes(.uint8, [bits, rows, planeBytes]), "alphas": numbers([rows, groups, bits]),
            ]
        case .integer(let bits, let symmetric, let granularity, _):
            var units = rows
            if case .group(let width) = granularity { units *= (columns + width - 1) / width }
            if granularity == .tensor { units = 1 }
            let codes = bytes(.uint8, [rows, (columns * bits + 7) / 8])
            let scales = ["codes": codes, "scales": numbers([units])]
            parts =
                symmetric ? scales : scales.merging(["zeroPoints": numbers([units])]) { first, _ in first }
        case .normalFloat4(let block, _):
            parts = [
                "codes": bytes(.uint8, [(rows * columns + 1) / 2]),
                "scales": numbers([(rows * columns + block - 1) / block]),
            ]
        case .productCodes(let block, let centroids, _):
            // 256 centroids: every byte is an index. The book is finite whatever its halves.
            let book = [UInt16](repeating: 0x2c00, count: centroids * block).enumerated().map {
                $0.element | UInt16(($0.offset * 37) & 0x3ff) | ($0.offset % 3 == 0 ? 0x8000 : 0)
            }
            parts = [
                "indices": bytes(.uint8, [rows * ((columns + block - 1) / block)]),
                "centroids": PackedTensor(
                    type: .float16, shape: [centroids, block], bytes: book.withUnsafeBytes { Data($0) }),
            ]
        case .index8: parts = ["codes": bytes(.int8, [rows, columns]), "range": numbers([2])]
        case .sign: parts = ["signs": bytes(.uint8, [rows, planeBytes])]
        case .bitLinear(let groups):
            parts = ["signs": bytes(.uint8, [rows, planeBytes]), "scales": numbers([groups])]
        case .integer8Activations:
            parts = ["codes": bytes(.int8, [rows, columns]), "scales": numbers([rows])]
        case .full(.fp16):
            // Halves from 1 up to 2: finite, whatever the generator says.
            let weights = alignedData(byteCount: 2 * rows * columns) { buffer in
                for i in 0..<rows * columns {
                    let half = UInt16(0x3c00) | UInt16(truncatingIfNeeded: generator.next()) & 0x3ff
                    buffer.storeBytes(of: half, toByteOffset: 2 * i, as: UInt16.self)
                }
            }
            parts = ["weights": PackedTensor(type: .float16, shape: [rows, columns], bytes: weights)]
        case .full(.fp32), .clusteredCodes: parts = [:]
        }
        return PackedMatrix(scheme: scheme, rows: rows, columns: columns, parts: parts)
    }

    /// Normal activations of (tokens, columns).
    static func activations(tokens: Int, columns: Int, seed: UInt64) -> Matrix {
        var generator = SeededGenerator(seed: seed)
        return Matrix(
            rows: tokens, columns: columns,
            storage: (0..<tokens * columns).map { _ in Float(generator.normal()) })
    }
}
