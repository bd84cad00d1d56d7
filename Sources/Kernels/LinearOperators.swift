import PlanFormat
import Tensors

/// Makes operators from packed matrices.
public enum LinearOperators {
    /// The operator that runs `packed` from its stored parts.
    ///
    /// - Throws: `PackedMatrixError` where a part is missing or has another type or shape than the scheme says.
    public static func make(
        _ packed: PackedMatrix, instructions: InstructionSet = .best
    ) throws(PackedMatrixError) -> any LinearOperator {
        switch packed.scheme {
        case .full(let type):
            let weights = try packed.numbers("weight", type, [packed.rows, packed.columns])
            return DenseMatrix(
                Matrix(rows: packed.rows, columns: packed.columns, storage: weights),
                instructions: instructions)
        case .binaryCodes: return try BinaryCodeMatrix(packed, instructions: instructions)
        default: throw .notRunnable(packed.scheme)
        }
    }
}
