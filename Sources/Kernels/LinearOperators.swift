import BitplanTensors
import PlanFormat

/// Makes operators from packed matrices.
package enum LinearOperators {
    /// The operator that runs `packed`, whose parts are in stored order, without a dense copy.
    ///
    /// Full precision is the exception: its weights are repacked in panels.
    /// - Throws: `PackedMatrixError` where a part is missing or has another type, shape or content than the
    ///   scheme says.
    package static func make(
        _ packed: PackedMatrix, instructions: InstructionSet = .best
    ) throws(PackedMatrixError) -> any LinearOperator {
        switch packed.scheme {
        case .full(.fp16): return try HalfMatrix(packed, instructions: instructions)
        case .full(.fp32):
            let weights = try packed.numbers("weights", .fp32, [packed.rows, packed.columns])
            return DenseMatrix(
                Matrix(rows: packed.rows, columns: packed.columns, storage: weights),
                instructions: instructions)
        case .binaryCodes, .bitLinear: return try BinaryCodeMatrix(packed, instructions: instructions)
        case .clusteredCodes: return try ClusteredCodeMatrix(packed, instructions: instructions)
        case .integer, .index8, .integer8Activations:
            return try IntegerCodeMatrix(packed, instructions: instructions)
        case .normalFloat4: return try LevelCodeMatrix(packed, instructions: instructions)
        case .productCodes: return try ProductCodeMatrix(packed, instructions: instructions)
        case .sign: return try SignMatrix(packed, instructions: instructions)
        }
    }
}
