import BitplanTensors
import PlanFormat

/// Weights as they are, FP32 or rounded to FP16.
///
/// Part: `weights` (rows, columns), F32 or F16.
extension Scheme.FullPrecision: SchemeCodec {
    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext)
        throws(QuantizationError) -> PackedMatrix
    {
        if type == .fp16 { try weights.checkHalf() }
        let tensor = PackedTensor(shape: [weights.rows, weights.columns], floats: weights.storage, as: type)
        return PackedMatrix(
            scheme: scheme, rows: weights.rows, columns: weights.columns, parts: ["weights": tensor])
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        Matrix(rows: packed.rows, columns: packed.columns, storage: try packed.part("weights").floats)
    }
}

extension Matrix {
    /// Refuses weights that round to infinity in FP16.
    ///
    /// - Throws: `QuantizationError.halfOverflow`.
    func checkHalf() throws(QuantizationError) {
        // 65520 is halfway between the largest half and the one that would follow.
        guard let bad = storage.firstIndex(where: { abs($0) >= 65520 }) else { return }
        throw .halfOverflow(row: bad / columns, column: bad % columns, value: storage[bad])
    }
}
