import BitplanTensors
import Foundation
import PlanFormat

/// 8-bit min/max index of the whole tensor: `q = round((x - min) * 255 / (max - min)) - 128`.
///
/// Parts: `codes` I8 (rows, columns); `range` F32 (2): minimum and maximum.
/// - Source: SensiMix (Piao et al. 2022), 8-bit index.
enum MinMaxIndex {
    static func encode(_ weights: Matrix) -> PackedMatrix {
        let lowest = weights.storage.min() ?? 0
        let largest = weights.storage.max() ?? 0
        let width = Double(largest) - Double(lowest)
        let perUnit = width > 0 ? 255 / width : 0
        let codes = weights.storage.map { weight in
            Int8(
                min(
                    max(((Double(weight) - Double(lowest)) * perUnit).rounded(.toNearestOrEven) - 128, -128),
                    127))
        }
        return PackedMatrix(
            scheme: .index8, rows: weights.rows, columns: weights.columns,
            parts: [
                "codes": PackedTensor(
                    type: .int8, shape: [weights.rows, weights.columns],
                    bytes: codes.withUnsafeBytes { Data($0) }),
                "range": PackedTensor(shape: [2], floats: [lowest, largest]),
            ])
    }

    static func decode(_ packed: PackedMatrix) throws(QuantizationError) -> Matrix {
        let range = try packed.part("range").floats
        let lowest = Double(range[0])
        let step = (Double(range[1]) - lowest) / 255
        let storage = try packed.part("codes").bytes.map { byte in
            Float((Double(Int8(bitPattern: byte)) + 128) * step + lowest)
        }
        return Matrix(rows: packed.rows, columns: packed.columns, storage: storage)
    }
}

/// 8-bit symmetric weights per row, for products with 8-bit activations (W8A8).
///
/// `w = scale * code`, codes -127...127. Parts: `codes` I8 (rows, columns); `scales` F32 (rows).
/// - Source: round to nearest by absolute maximum, as in QLoRA (Dettmers et al. 2023).
enum RowBytes {
    static func encode(_ weights: Matrix) -> PackedMatrix {
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
            scheme: .integer8Activations, rows: weights.rows, columns: weights.columns,
            parts: [
                "codes": PackedTensor(type: .int8, shape: [weights.rows, weights.columns], bytes: codes),
                "scales": PackedTensor(shape: [weights.rows], floats: scales),
            ])
    }

    static func decode(_ packed: PackedMatrix) throws(QuantizationError) -> Matrix {
        let scales = try packed.part("scales").floats
        var storage = try packed.part("codes").bytes.map { Float(Int8(bitPattern: $0)) }
        for index in storage.indices { storage[index] *= scales[index / packed.columns] }
        return Matrix(rows: packed.rows, columns: packed.columns, storage: storage)
    }
}
