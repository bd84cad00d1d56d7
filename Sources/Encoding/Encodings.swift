import BitplanKernels
import BitplanModels
import BitplanQuantizers
import BitplanTensors
import PlanFormat
import Synchronization

/// The encoded matrices of a model, kept packed: each is encoded when it is first asked for under a scheme.
/// Threads that ask at the same time may do so twice, for the same bytes.
package final class Encodings<Family: ModelFamily>: Sendable {
    /// The model whose matrices are encoded.
    package let model: Model<Family>
    /// How codes are fitted.
    package let fit: CodeFit
    private let contexts: @Sendable (MatrixShape) -> CalibrationContext
    private let kept = Mutex<[Key: PackedMatrix]>([:])
    private let seconds = Mutex(0.0)

    /// CPU seconds that encoding took.
    package var encodingSeconds: Double { seconds.withLock { $0 } }

    private struct Key: Hashable {
        let tensor: String
        let scheme: Scheme
    }

    /// Encodings of `model` by `fit`; `contexts` gives what the fit may know of a matrix's inputs.
    package init(
        _ model: Model<Family>, fit: CodeFit,
        contexts: @escaping @Sendable (MatrixShape) -> CalibrationContext = { _ in .none }
    ) {
        self.model = model
        self.fit = fit
        self.contexts = contexts
    }

    /// The encoded matrix.
    ///
    /// - Throws: `FileError` where the weights cannot be read or encoded.
    package func packed(_ shape: MatrixShape, _ scheme: Scheme) throws -> PackedMatrix {
        try packed([(shape, scheme)], threads: 1)[0]
    }

    /// Weights of a matrix up to which several are encoded side by side: fitting a larger one keeps all
    /// threads busy, and takes much memory.
    static var smallMatrix: Int { 1 << 20 }

    /// Encoded matrices, in their order; small ones on so many threads, since one alone keeps none but one
    /// busy.
    ///
    /// - Throws: as `packed(_:_:)`.
    package func packed(
        _ matrices: [(shape: MatrixShape, scheme: Scheme)], threads: Int
    ) throws -> [PackedMatrix] {
        let keys = matrices.map { Key(tensor: $0.shape.tensor, scheme: $0.scheme) }
        let missing = kept.withLock { kept in keys.indices.filter { kept[keys[$0]] == nil } }
        if !missing.isEmpty {
            let start = processSeconds()
            let areSmall = missing.allSatisfy { matrices[$0].shape.count <= Self.smallMatrix }
            let encoded = try concurrentMap(count: missing.count, threads: areSmall ? threads : 1) {
                try encode(matrices[missing[$0]].shape, matrices[missing[$0]].scheme)
            }
            seconds.withLock { $0 += processSeconds() - start }
            kept.withLock { kept in
                for (place, packed) in zip(missing, encoded) { kept[keys[place]] = packed }
            }
        }
        return kept.withLock { kept in keys.compactMap { kept[$0] } }
    }

    private func encode(_ shape: MatrixShape, _ scheme: Scheme) throws -> PackedMatrix {
        let weights = try model.matrix(shape)
        do {
            return try Quantizer.encode(weights, as: scheme, fit: fit, context: contexts(shape))
        } catch {
            throw FileError(model.checkpoint.file, "tensor '\(shape.tensor)': \(error)")
        }
    }
}

extension LinearOperators {
    /// The operator that a probe measures: of the decoded weights, which is fast in batches and the same up
    /// to rounding.
    ///
    /// Schemes that change a layer's inputs too are not their decoded weights: those are measured as they
    /// run.
    /// - Parameter decoded: makes an operator of weights.
    /// - Throws: `QuantizationError` or `PackedMatrixError` where the parts do not fit the scheme.
    package static func measuring(
        _ packed: PackedMatrix, decoded: (Matrix) -> any LinearOperator = { DenseMatrix($0) }
    ) throws -> any LinearOperator {
        packed.scheme.changesActivations ? try make(packed) : decoded(try Quantizer.decode(packed))
    }
}
