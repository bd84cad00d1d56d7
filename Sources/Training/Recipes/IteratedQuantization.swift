import PlanFormat

/// Sublayer by sublayer, the first to run first, weights become codes and stay so; what is not yet quantized
/// makes up for it, and centroids go on learning.
///
/// The run has as many equal phases as there are sublayers. Where the paper's centroids take a step of plain
/// descent along the mean gradient of their subvectors, here they take AdamW's, which is the same for the
/// mean and for the sum. The loss is KL to the full-precision model, the paper's teacher.
/// - Source: iPQ, QuantNoise (Stock, Fan et al. 2020), section 3.2.
package struct IteratedQuantization: TrainingMethod {
    private let settings: TrainingSettings
    /// Places of sublayers in the order in which they are quantized.
    private let order: [Int]

    init(settings: TrainingSettings, _ matrices: [TrainedMatrix]) {
        self.settings = settings
        order = Set(matrices.map(\.place)).sorted()
    }

    package func role(of matrix: TrainedMatrix, at step: Int) -> MatrixRole {
        let turn = order.firstIndex(of: matrix.place) ?? 0
        if turn <= phase(step) { return MatrixRole(learnsNumbers: true) }
        return MatrixRole(
            weights: .latent, quantizesInputs: false, learnsWeights: true,
            following: turn <= phase(step + 1) ? .fitting : .nothing)
    }

    private func phase(_ step: Int) -> Int { step * order.count / max(1, settings.steps) }
}
