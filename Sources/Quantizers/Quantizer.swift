import BitplanKernels
import BitplanTensors
import PlanFormat

/// What a family of schemes adds to its description here, in a folder of its own: the way from weights to
/// codes and back.
///
/// Codes are in plain order, row after row.
protocol SchemeCodec: SchemeFamily {
    /// Encodes finite weights, (rows, columns).
    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext)
        throws(QuantizationError) -> PackedMatrix

    /// The weights that a packed matrix with the family's parts stands for.
    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix
}

/// Encodes weights in a scheme and decodes them again.
package enum Quantizer {
    /// Encodes weights in `scheme`.
    ///
    /// The result depends on nothing but the arguments; its bytes are the same for any number of threads.
    /// Codes are in stored order, as the kernels read them (`InterleavedRows`).
    /// - Shapes: `weights` (rows, columns), rows being output channels or tokens.
    /// - Parameters:
    ///   - fit: how codes are chosen. `greedy`, `refined` and `alternating` differ for binary codes only;
    ///     `calibrated` and `curvature` use `context.moments` wherever a scheme has a grid for it (binary
    ///     codes, integers, NF4) and needs them there.
    ///   - context: what the fit may use besides the weights.
    /// - Throws: `QuantizationError.nonFinite` at the first NaN or infinity; `.halfOverflow` where FP16
    ///   cannot hold a number; `.momentsMissing` and `.contextMismatch` for what the fit was given;
    ///   `.notFitted` where `fit` is `stored`.
    package static func encode(
        _ weights: Matrix, as scheme: Scheme, fit: CodeFit, context: CalibrationContext = .none
    ) throws(QuantizationError) -> PackedMatrix {
        guard fit != .stored else { throw .notFitted }
        try checkFinite(weights)
        var target = weights
        if fit.isCalibrated, context.crossMoments != nil {
            target = try CorrectedTarget.weights(weights, context: context)
            // Moments that are no moments can send a target anywhere.
            try checkFinite(target)
        }
        guard let codec = scheme.family as? any SchemeCodec else { throw .notEncodable(scheme) }
        return try codec.encode(target, fit: fit, context: context).inStoredOrder()
    }

    /// The weights that a packed matrix stands for.
    ///
    /// - Throws: `PackedMatrixError` where parts do not fit the scheme.
    package static func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        try packed.checkParts()
        guard let codec = packed.scheme.family as? any SchemeCodec else {
            throw .notDecodable(packed.scheme)
        }
        return try codec.decode(packed.inPlainOrder())
    }

    private static func checkFinite(_ weights: Matrix) throws(QuantizationError) {
        let bad = weights.storage.withUnsafeBufferPointer { values -> Int? in
            // x - x is 0 for finite numbers and NaN for the others, and a sum keeps NaN: one fast pass for
            // the usual case.
            var check = SIMD16<Float>(repeating: 0)
            var index = 0
            while index + 16 <= values.count {
                let x = UnsafeRawPointer(values.baseAddress! + index).loadUnaligned(as: SIMD16<Float>.self)
                check += x - x
                index += 16
            }
            if check.sum() == 0, values[index...].allSatisfy(\.isFinite) { return nil }
            return values.firstIndex { !$0.isFinite }
        }
        guard let bad else { return }
        throw .nonFinite(
            row: bad / weights.columns, column: bad % weights.columns, value: weights.storage[bad])
    }
}
