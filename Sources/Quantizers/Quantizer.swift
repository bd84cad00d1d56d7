import BitplanKernels
import BitplanTensors
import PlanFormat

/// Encodes weights in a scheme and decodes them again.
package enum Quantizer {
    /// Encodes weights in `scheme`.
    ///
    /// The result depends on nothing but the arguments; its bytes are the same for any number of threads.
    /// Codes are in stored order, as the kernels read them (`InterleavedRows`).
    /// - Shapes: `weights` (rows, columns), rows being output channels or tokens.
    /// - Parameters:
    ///   - fit: how codes are chosen. `greedy`, `refined` and `alternating` differ for binary codes only;
    ///     `calibrated` uses `context.moments` wherever a scheme has a grid for it (binary codes, integers,
    ///     NF4) and needs them there.
    ///   - context: what the fit may use besides the weights.
    /// - Throws: `QuantizationError.nonFinite` at the first NaN or infinity; `.halfOverflow` where FP16
    ///   cannot hold a number; `.momentsMissing` and `.contextMismatch` for what the fit was given.
    package static func encode(
        _ weights: Matrix, as scheme: Scheme, fit: CodeFit, context: CalibrationContext = .none
    ) throws(QuantizationError) -> PackedMatrix {
        try checkFinite(weights)
        var target = weights
        if fit == .calibrated, context.crossMoments != nil {
            target = try CorrectedTarget.weights(weights, context: context)
            // Moments that are no moments can send a target anywhere.
            try checkFinite(target)
        }
        return try encodePlain(target, as: scheme, fit: fit, context: context).inStoredOrder()
    }

    /// The weights that a packed matrix stands for.
    ///
    /// - Throws: `QuantizationError.missingPart`, `.malformedPart` or `.invalidPart` where parts do not fit
    ///   the scheme.
    package static func decode(_ packed: PackedMatrix) throws(QuantizationError) -> Matrix {
        try PackedLayout.check(packed)
        return try decodePlain(packed.inPlainOrder())
    }

    /// Encodes with all codes in plain order, row after row.
    private static func encodePlain(
        _ weights: Matrix, as scheme: Scheme, fit: CodeFit, context: CalibrationContext
    ) throws(QuantizationError) -> PackedMatrix {
        switch scheme {
        case .full(let type): return try FullPrecision.encode(weights, as: type)
        case .binaryCodes(let bits, let group, let alphas):
            return try BinaryCodes.encode(
                weights, bits: bits, group: group, alphas: alphas, fit: fit, context: context)
        case .clusteredCodes(let clusters, let ratio, let alphas):
            return try ClusteredCodes.encode(
                weights, clusters: clusters, ratio: ratio, alphas: alphas, fit: fit, context: context)
        case .integer(let bits, let symmetric, let granularity, let scales):
            return try IntegerCodes.encode(
                weights, bits: bits, symmetric: symmetric, granularity: granularity, scales: scales, fit: fit,
                context: context)
        case .normalFloat4(let block, let doubleQuantization):
            return try NormalFloat.encode(
                weights, block: block, doubleQuantization: doubleQuantization, fit: fit, context: context)
        case .productCodes(let block, let centroids, let storage):
            return try ProductCodes.encode(
                weights, block: block, centroids: centroids, storage: storage, context: context)
        case .index8: return MinMaxIndex.encode(weights)
        case .sign(let scaled): return SignCodes.encode(weights, scaled: scaled)
        case .bitLinear(let groups): return BitLinearCodes.encode(weights, groups: groups)
        case .integer8Activations: return RowBytes.encode(weights)
        }
    }

    private static func decodePlain(_ packed: PackedMatrix) throws(QuantizationError) -> Matrix {
        switch packed.scheme {
        case .full: return try FullPrecision.decode(packed)
        case .binaryCodes(let bits, let group, _):
            return try BinaryCodes.decode(packed, bits: bits, group: group)
        case .clusteredCodes(let clusters, let ratio, _):
            return try ClusteredCodes.decode(packed, clusters: clusters, ratio: ratio)
        case .integer(let bits, let symmetric, let granularity, _):
            return try IntegerCodes.decode(packed, bits: bits, symmetric: symmetric, granularity: granularity)
        case .normalFloat4(let block, let doubleQuantization):
            return try NormalFloat.decode(packed, block: block, doubleQuantization: doubleQuantization)
        case .productCodes(let block, let centroids, let storage):
            return try ProductCodes.decode(packed, block: block, centroids: centroids, storage: storage)
        case .index8: return try MinMaxIndex.decode(packed)
        case .sign(let scaled): return try SignCodes.decode(packed, scaled: scaled)
        case .bitLinear(let groups): return try BitLinearCodes.decode(packed, groups: groups)
        case .integer8Activations: return try RowBytes.decode(packed)
        }
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
