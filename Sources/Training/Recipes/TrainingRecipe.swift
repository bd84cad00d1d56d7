import PlanFormat

/// What is learned and how, by name.
package enum TrainingRecipe: String, Sendable, Codable, CaseIterable {
    /// Scales, alphas, centroids, biases and norms, codes fixed.
    ///
    /// - Source: EfficientQAT's second phase (Chen et al. 2024) and AlphaTuning (Kwon et al. 2022), with KL
    ///   in place of labels.
    case scales
    /// Latent weights too, from which codes follow.
    case weights
    /// Chung et al. 2020; see `ChungPhases`.
    case chung
    /// QuantNoise (Stock, Fan et al. 2020): weights that are quantized here and there; see
    /// `QuantizationNoise`.
    case quantNoise = "quant-noise"
    /// QuantNoise's product codes, sublayer by sublayer; see `IteratedQuantization`.
    case ipq
    /// SensiMix (Piao et al. 2022); see `SensiMixStages`.
    case sensimix
    /// BitNet (Wang et al. 2023): signs and their scales follow latent weights, which start in full precision
    /// and move far.
    case bitnet

    /// Whether there are latent weights.
    package var learnsWeights: Bool { self != .scales }

    /// Whether latent weights start in full precision, rather than at what codes stand for.
    package var startsInFullPrecision: Bool { learnsWeights && self != .weights }

    /// What it learns from where nothing else is asked for; the sources of `quantNoise` and `bitnet` learn
    /// from labels too, but text alone is enough for KL, and gives more.
    package var objective: TrainingObjective {
        switch self {
        case .chung, .sensimix: .labels
        case .scales, .weights, .quantNoise, .ipq, .bitnet: .kl
        }
    }

    /// What is taken from a label's probability and spread evenly over all classes.
    ///
    /// - Source: the code published with Chung et al. 2020 for `chung`.
    var labelSmoothing: Float { self == .chung ? 0.1 : 0 }

    /// Bytes that a run needs beside its activations: the full network, levels of codes, weights in both
    /// directions; with latent weights also these, two moments and the gradients of each part.
    package func memoryBytes(parameters: Int) -> Int {
        let shards = TrainingSettings(self, steps: 1, parameters: parameters).shards
        return 4 * parameters * (learnsWeights ? 7 + shards : 4)
    }

    /// Steps after which codes follow latent weights, in a run of so many.
    func recodeEvery(steps: Int) -> Int {
        switch self {
        case .scales, .sensimix, .bitnet: 1
        case .weights: 4
        case .chung, .quantNoise, .ipq: max(1, min(100, steps / 30))
        }
    }

    /// Rates that measured best for a run of so many steps. Latent weights that go too far too fast leave
    /// good codes and find none again before the rate has fallen: in a short run they need larger steps to
    /// reach other codes at all, in a long one small steps do. In one of 23,000 at 0.002 the losses rose
    /// again, near 0.001 they fell to the end: from 10,000 on all rates of `weights` fall with the steps.
    func rates(steps: Int) -> TrainingSettings.Rates {
        let steps = Double(max(1, steps))
        switch self {
        case .scales: return .init(numbers: 0.003, weights: 0, vectors: 0.001)
        case .weights:
            let long = Float(min(0.002, 20 / steps))
            return .init(numbers: long, weights: min(0.005, max(long, Float(4 / steps))), vectors: long)
        case .chung: return .init(numbers: 0, weights: 0.003, vectors: 0.003)
        case .quantNoise, .ipq: return .init(numbers: 0.002, weights: 0.003, vectors: 0.003)
        case .sensimix, .bitnet: return .init(numbers: 0, weights: 0.01, vectors: 0.003)
        }
    }
}

/// What a run learns from.
package enum TrainingObjective: String, Sendable, Codable, CaseIterable {
    /// KL to the full-precision model.
    case kl
    /// Cross-entropy to labels or references.
    case labels
}

extension TrainingSettings {
    /// What every step makes of the matrices.
    package func method(_ matrices: [TrainedMatrix]) -> any TrainingMethod {
        switch recipe {
        case .scales, .weights, .bitnet: EndToEnd(settings: self)
        case .chung: ChungPhases(settings: self)
        case .quantNoise: NoisyTraining(settings: self, noise: noise ?? QuantizationNoise())
        case .ipq: IteratedQuantization(settings: self, matrices)
        case .sensimix: SensiMixStages(settings: self, parts: sensimix ?? SensiMixParts(), matrices)
        }
    }

    /// Whether codes follow latent weights behind step `step`.
    func recodes(behind step: Int) -> Bool { (step + 1) % recodeEvery == 0 || step + 1 == steps }
}

/// All matrices learn all the time, through what their codes stand for: numbers alone, or latent weights too.
package struct EndToEnd: TrainingMethod {
    let settings: TrainingSettings

    package func role(of matrix: TrainedMatrix, at step: Int) -> MatrixRole {
        let learnsWeights = settings.recipe.learnsWeights
        return MatrixRole(
            learnsNumbers: true, learnsWeights: learnsWeights,
            following: learnsWeights && settings.recodes(behind: step) ? .recoding : .nothing)
    }
}
