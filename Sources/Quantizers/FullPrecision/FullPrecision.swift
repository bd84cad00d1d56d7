import BitplanTensors
import PlanFormat

/// Weights as they are, FP32 or rounded to FP16.
///
/// Parts: `weights` (rows, columns), F32 or F16.
enum FullPrecision {
    static func encode(_ weights: Matrix, as type: Scheme.FloatType) throws(QuantizationError) -> PackedMatrix
    {
        if type == .fp16 { try checkHalf(weights) }
        let tensor = PackedTensor(shape: [weights.rows, weights.columns], floats: weights.storage, as: type)
        return PackedMatrix(
            scheme: .full(type), rows: weights.rows, columns: weights.columns, parts: ["weights": tensor])
    }

    static func decode(_ packed: PackedMatrix) throws(QuantizationError) -> Matrix {
        Matrix(rows: packed.rows, columns: packed.columns, storage: try packed.part("weights").floats)
    }

    /// Refuses weights that round to infinity in FP16.
    static func checkHalf(_ weights: Matrix) throws(QuantizationError) {
        // 65520 is halfway between the largest half and the one that would follow.
        guard let bad = weights.storage.firstIndex(where: { abs($0) >= 65520 }) else { return }
        throw .halfOverflow(
            row: bad / weights.columns, column: bad % weights.columns, value: weights.storage[bad])
    }
}
