import BitplanTensors
import PlanFormat

/// What a family of schemes adds to its description here, beside its kernel: the operator that runs its packed matrices.
protocol RunnableScheme: SchemeFamily {
    /// The operator over the parts of `packed`, a matrix of this scheme.
    ///
    /// - Throws: `PackedMatrixError` where a part is missing or has another type, shape or content than the scheme says.
    func linearOperator(
        _ packed: PackedMatrix, instructions: InstructionSet
    ) throws(PackedMatrixError) -> any LinearOperator
}

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
        guard let scheme = packed.scheme.family as? any RunnableScheme else {
            throw .notRunnable(packed.scheme)
        }
        return try scheme.linearOperator(packed, instructions: instructions)
    }
}
