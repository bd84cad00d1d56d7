import BitplanKernels
import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat
import Testing

/// Encoders and kernels agree on what the stored bytes mean, for every scheme and odd shapes.
@Suite struct EncodedProductTests {
    static let schemes = Scheme.list(
        "fp32,fp16,bcq1..8,bcq3:g64,bcq2:g64:fp16,emb4:r2,int2..8,int3:tensor,int4:g64:asym,int8:asym:fp16,nf4,nf4:dq,"
            + "pq:b4:k16,pq:b8:k256:int8,index8,sign,sign:mean,bitlinear,bitlinear:2,w8a8")

    @Test(arguments: schemes ?? [])
    func rowsAreEqual(_ scheme: Scheme) throws {
        for (rows, columns) in [(1, 1), (3, 5), (63, 65), (70, 192), (130, 64)] {
            if case .bitLinear(let groups) = scheme, rows % groups != 0 { continue }
            var generator = SeededGenerator(seed: UInt64(rows * 1000 + columns))
            let weights = Matrix(
                rows: rows, columns: columns,
                storage: (0..<rows * columns).map { _ in Float(generator.normal()) })
            let packed = try Quantizer.encode(weights, as: scheme, fit: .alternating)
            #expect(packed.sizeInBytes == scheme.sizeInBytes(rows: rows, columns: columns))
            let decoded = try Quantizer.decode(packed)
            let matrix = try LinearOperators.make(packed)
            for row in Set([0, rows / 2, rows - 1]) {
                var copy = [Float](repeating: 0, count: columns)
                matrix.copyRow(row, into: &copy)
                for (a, b) in zip(copy, decoded[row: row]) {
                    #expect(abs(a - b) <= 1e-5 * max(1, abs(b)), "row \(row)")
                }
            }
        }
    }
}
