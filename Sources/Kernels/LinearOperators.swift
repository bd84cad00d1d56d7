import BitplanTensors
import PlanFormat

/// What a family of schemes adds to its description here, beside its kernel: what runs its packed matrices.
protocol RunnableScheme: SchemeFamily {
    /// The operator over packed matrices of this scheme.
    var operatorType: any PackedOperator.Type { get }
}

/// An operator over the parts of a packed matrix.
protocol PackedOperator: LinearOperator {
    /// An operator over the parts of `packed`, which are in stored order.
    ///
    /// - Throws: `PackedMatrixError` where a part is missing or has another type, shape or content than the
    ///   scheme says, or where the scheme is another operator's.
    init(_ packed: PackedMatrix, instructions: InstructionSet) throws(PackedMatrixError)
}

extension Scheme.FullPrecision: RunnableScheme {
    var operatorType: any PackedOperator.Type { type == .fp16 ? HalfMatrix.self : DenseMatrix.self }
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
        return try scheme.operatorType.init(packed, instructions: instructions)
    }
}
