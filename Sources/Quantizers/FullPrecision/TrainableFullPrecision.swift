import BitplanTensors
import PlanFormat

extension Scheme.FullPrecision: TrainableScheme {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        TrainableFullPrecision(
            scheme: self,
            weights: Matrix(
                rows: packed.rows, columns: packed.columns, storage: try packed.part("weights").floats))
    }
}

/// Weights in full precision under training: there are no codes, and the latent weights are the weights.
struct TrainableFullPrecision: TrainableCodes {
    let scheme: Scheme.FullPrecision
    private(set) var weights: Matrix
    /// None: what is learned are the latent weights.
    var numbers: [Float] = []

    init(scheme: Scheme.FullPrecision, weights: Matrix) {
        self.scheme = scheme
        self.weights = weights
    }

    func decoded() -> Matrix {
        guard scheme.type == .fp16 else { return weights }
        return Matrix(
            rows: weights.rows, columns: weights.columns, storage: weights.storage.map(scheme.type.stored))
    }

    func numbersGradient(_ gradient: Matrix) -> [Float] { [] }

    mutating func recode(_ latent: Matrix, threads: Int?) { weights = latent }

    func packed() throws -> PackedMatrix {
        try Quantizer.encode(decoded(), as: scheme.scheme, fit: .greedy)
    }
}
