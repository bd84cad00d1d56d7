import BitplanTensors
import Foundation
import PlanFormat

/// 8-bit symmetric weights per row, for products with 8-bit activations (W8A8).
///
/// `w = scale * code`, codes -127...127. Parts: `codes` I8 (rows, columns); `scales` F32 (rows).
/// - Source: round to nearest by absolute maximum, as in QLoRA (Dettmers et al. 2023).
extension Scheme.W8A8: SchemeCodec {
    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext) -> PackedMatrix {
        var codes = Data(count: weights.storage.count)
        var scales: [Float] = []
        scales.reserveCapacity(weights.rows)
        for row in 0..<weights.rows {
            let largest = weights[row: row].reduce(0) { max($0, abs($1)) }
            let grid = UniformGrid(symmetricUpTo: largest, bits: 8, type: .fp32)
            scales.append(grid.scale)
            for (column, weight) in weights[row: row].enumerated() {
                let code = Int(grid.code(Double(weight), lowest: 1)) - 128
                codes[row * weights.columns + column] = UInt8(bitPattern: Int8(code))
            }
        }
        return PackedMatrix(
            scheme: scheme, rows: weights.rows, columns: weights.columns,
            parts: [
                "codes": PackedTensor(type: .int8, shape: [weights.rows, weights.columns], bytes: codes),
                "scales": PackedTensor(shape: [weights.rows], floats: scales),
            ])
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        let scales = try packed.part("scales").floats
        var storage = try packed.part("codes").bytes.map { Float(Int8(bitPattern: $0)) }
        for index in storage.indices { storage[index] *= scales[index / packed.columns] }
        return Matrix(rows: packed.rows, columns: packed.columns, storage: storage)
    }
}
