import PlanFormat

/// Sublayer by sublayer, the first to run first, weights become codes and stay so; what is not yet quantized
/// makes up for it, and centroids go on learning.
///
/// The run has as many equal phases as there are sublayers. Where the paper's centroids take a step of plain
/// descent along the mean gradient of their subvectors, here they take AdamW's, which is the same for the
/// mean and for the sum. The loss is KL to the full-precision model, the paper's teacher.
///
/// With noise, weights learn under it for the first half of the run, and the phases share the second, with
/// rates that rise and fall anew: the paper trains with noise first, and then quantizes.
/// - Source: iPQ, QuantNoise (Stock, Fan et al. 2020), section 3.2.
package struct IteratedQuantization: TrainingMethod {
    private let settings: TrainingSettings
    /// Places of sublayers in the order in which they are quantized.
    private let order: [Int]
    /// The training before, and how many steps it has.
    private let before: (method: NoisyTraining, steps: Int)?

    init(settings: TrainingSettings, _ matrices: [TrainedMatrix]) {
        self.settings = settings
        order = Set(matrices.map(\.place)).sorted()
        before = settings.noise.map {
            (NoisyTraining(settings: settings, noise: $0), settings.stepsOfNoiseBefore)
        }
    }

    package func role(of matrix: TrainedMatrix, at step: Int) -> MatrixRole {
        let turn = order.firstIndex(of: matrix.place) ?? 0
        let followsNow = turn <= phase(step + 1)
        if let before, step < before.steps {
            var role = before.method.role(of: matrix, at: step)
            if followsNow { role.following = .fitting }
            return role
        }
        if turn <= phase(step) { return MatrixRole(learnsNumbers: true) }
        return MatrixRole(
            weights: .latent, quantizesInputs: false, learnsWeights: true,
            following: followsNow ? .fitting : .nothing)
    }

    /// The last place in `order` that is quantized in a step; -1 for none.
    private func phase(_ step: Int) -> Int {
        let first = before?.steps ?? 0
        return step < first ? -1 : (step - first) * order.count / max(1, settings.steps - first)
    }
}
