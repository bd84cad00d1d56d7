import BitplanTensors
import Foundation
import PlanFormat

/// 8-bit min/max index of the whole tensor: `q = round((x - min) * 255 / (max - min)) - 128`.
///
/// Parts: `codes` I8 (rows, columns); `range` F32 (2): minimum and maximum.
/// - Source: SensiMix (Piao et al. 2022), 8-bit index.
extension Scheme.MinMaxIndex: SchemeCodec {
    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext) -> PackedMatrix {
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
            scheme: scheme, rows: weights.rows, columns: weights.columns,
            parts: [
                "codes": PackedTensor(
                    type: .int8, shape: [weights.rows, weights.columns],
                    bytes: codes.withUnsafeBytes { Data($0) }),
                "range": PackedTensor(shape: [2], floats: [lowest, largest]),
            ])
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        decoded(
            try packed.part("codes").bytes, range: try packed.part("range").floats, rows: packed.rows,
            columns: packed.columns)
    }

    /// The weights of codes, given minimum and maximum.
    func decoded(_ codes: Data, range: [Float], rows: Int, columns: Int) -> Matrix {
        let lowest = Double(range[0])
        let step = (Double(range[1]) - lowest) / 255
        let storage = codes.map { byte in
            Float((Double(Int8(bitPattern: byte)) + 128) * step + lowest)
        }
        return Matrix(rows: rows, columns: columns, storage: storage)
    }
}
