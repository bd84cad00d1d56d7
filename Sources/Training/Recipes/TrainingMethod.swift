import PlanFormat

/// What each step of a run makes of each matrix: the difference between recipes.
package protocol TrainingMethod: Sendable {
    /// The part that a matrix has in step `step`, from 0; at the number of steps, the part behind the last.
    func role(of matrix: TrainedMatrix, at step: Int) -> MatrixRole
}

/// A matrix under training, as recipes see it.
package struct TrainedMatrix: Hashable, Sendable {
    /// Its tensor.
    package let tensor: String
    /// Its sublayer.
    package let sublayer: SublayerName
    /// The sublayer's place in order of execution, from 0.
    package let place: Int
    /// What it becomes.
    package let scheme: Scheme
    /// Input channels.
    package let columns: Int

    /// A matrix from its parts.
    package init(tensor: String, sublayer: SublayerName, place: Int, scheme: Scheme, columns: Int) {
        self.tensor = tensor
        self.sublayer = sublayer
        self.place = place
        self.scheme = scheme
        self.columns = columns
    }
}

/// The part that a matrix has in a step.
package struct MatrixRole: Hashable, Sendable {
    /// What the forward multiplies with.
    package enum Weights: Hashable, Sendable {
        /// What codes stand for.
        case codes
        /// Latent weights.
        case latent
        /// Latent weights, quantized in random blocks.
        case noise(QuantizationNoise)
    }

    /// What becomes of codes behind the step.
    package enum Following: Hashable, Sendable {
        /// They stay.
        case nothing
        /// They follow the latent weights, the numbers beside them as they are.
        case recoding
        /// Codes and numbers are fitted to the latent weights anew.
        case fitting
        /// So they are, and latent weights become what they stand for.
        case replacing
    }

    /// What the forward multiplies with.
    package var weights: Weights
    /// Whether inputs are quantized as the scheme takes them.
    package var quantizesInputs: Bool
    /// Whether scales, alphas and centroids learn.
    package var learnsNumbers: Bool
    /// Whether latent weights learn.
    package var learnsWeights: Bool
    /// What becomes of codes behind the step.
    package var following: Following
    /// How strongly latent weights are drawn to -1 and 1: `pull * mean((|w| - 1)^2)` is added to the loss.
    package var pull: Float

    /// A role of these parts; what is left out is that of codes that stay.
    package init(
        weights: Weights = .codes, quantizesInputs: Bool = true, learnsNumbers: Bool = false,
        learnsWeights: Bool = false, following: Following = .nothing, pull: Float = 0
    ) {
        self.weights = weights
        self.quantizesInputs = quantizesInputs
        self.learnsNumbers = learnsNumbers
        self.learnsWeights = learnsWeights
        self.following = following
        self.pull = pull
    }
}
