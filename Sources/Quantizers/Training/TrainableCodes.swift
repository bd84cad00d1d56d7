import BitplanTensors
import PlanFormat

/// A matrix under training: codes, and the real numbers that stand beside them (scales, alphas, centroids),
/// which are learned.
///
/// Numbers are kept in FP32; `decoded` rounds them to what the scheme stores, so that training sees the
/// weights that the packed matrix stands for. The gradient passes that rounding as if it were not there (a
/// straight-through estimator), and so it does the choice of codes where latent weights are learned.
/// - Source: Bengio et al. 2013 for the estimator; each scheme's folder says what its own way is.
package protocol TrainableCodes: Sendable {
    /// What is learned beside the codes.
    var numbers: [Float] { get set }

    /// The weights that codes and stored numbers stand for, (rows, columns).
    func decoded() -> Matrix

    /// The gradient of the numbers with codes fixed: exact but for the rounding to stored numbers.
    ///
    /// - Shapes: `gradient` is that of `decoded()`.
    func numbersGradient(_ gradient: Matrix) -> [Float]

    /// The gradient of the numbers where codes follow `latent` weights: that of fixed codes, unless the
    /// scheme's source says otherwise.
    func numbersGradient(_ gradient: Matrix, latent: Matrix) -> [Float]

    /// Takes the gradient of `decoded()` to that of latent weights, in place: 0 where a latent weight lies so
    /// far out that its code no longer follows it.
    func passThrough(_ gradient: inout Matrix, latent: Matrix)

    /// The codes of latent weights, with the numbers as they are; schemes whose numbers follow from the
    /// weights take them from these.
    mutating func recode(_ latent: Matrix, threads: Int?)

    /// Codes and numbers of latent weights, fitted anew as `scheme`, which is the matrix's own.
    mutating func refit(_ latent: Matrix, as scheme: Scheme, threads: Int?) throws

    /// The packed form, in stored order.
    func packed() throws -> PackedMatrix

    /// How numbers follow from sums that need no gradient of weights; nil where the gradient of weights is
    /// needed.
    var rowScales: RowScales? { get }
}

extension TrainableCodes {
    package func numbersGradient(_ gradient: Matrix, latent: Matrix) -> [Float] {
        numbersGradient(gradient)
    }

    package func passThrough(_ gradient: inout Matrix, latent: Matrix) {}

    package var rowScales: RowScales? { nil }

    package mutating func refit(_ latent: Matrix, as scheme: Scheme, threads: Int?) throws {
        let packed = try Quantizer.encode(
            latent, as: scheme, fit: .alternating, context: CalibrationContext(threads: threads))
        if let fitted = try Quantizer.trainable(packed) as? Self { self = fitted }
    }
}

/// A matrix whose numbers are scales of its rows, and perhaps of its columns: `w = scale[r] column[c] level`.
///
/// Then `d scale[r] = sum_t dY[t, r] Y[t, r] / scale[r]`, Y without its bias, and of columns likewise with dX
/// and X, both in the basis of the codes: products of the forward and the backward, so that no gradient of
/// weights is computed.
package struct RowScales: Sendable {
    /// The scales, as they are stored, of every row.
    package let rows: [Float]
    /// The scales of every column; empty where there are none. They stand behind those of rows in `numbers`.
    package let columns: [Float]
    /// Takes a row of activations to the basis of the codes; nil where that is their own.
    package let rotation: HadamardRotation?
}

extension Quantizer {
    /// The state of a packed matrix under training, or of weights in full precision.
    ///
    /// - Throws: `PackedMatrixError` where parts do not fit the scheme.
    package static func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try packed.checkParts()
        guard let codec = packed.scheme.family as? any TrainableScheme else {
            throw .notDecodable(packed.scheme)
        }
        return try codec.trainable(packed.inPlainOrder())
    }
}

/// A family of schemes whose matrices can be trained.
protocol TrainableScheme: SchemeCodec {
    /// The state of a packed matrix whose codes are in plain order.
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes
}

extension Scheme.FloatType {
    /// A learned number as this type holds it: the nearest finite one.
    @inline(__always)
    func stored(_ number: Float) -> Float {
        self == .fp32 ? number : HalfPrecision.widen(HalfPrecision.finite(number))
    }
}
