import BitplanTensors
import PlanFormat

extension Scheme.FullPrecision: RunnableScheme {
    func linearOperator(
        _ packed: PackedMatrix, instructions: InstructionSet
    ) throws(PackedMatrixError) -> any LinearOperator {
        if type == .fp16 { return try HalfMatrix(packed, instructions: instructions) }
        try packed.checkParts()
        let weights = try packed.part("weights").floats
        return DenseMatrix(
            Matrix(rows: packed.rows, columns: packed.columns, storage: weights), instructions: instructions)
    }
}
