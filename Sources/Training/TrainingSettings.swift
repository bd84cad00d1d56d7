import Foundation
import PlanFormat

/// How a quantized model is trained.
package struct TrainingSettings: Sendable, Codable, Hashable {
    /// What is learned, and from what.
    package var recipe: TrainingRecipe
    /// Items of a step.
    package var batchSize: Int
    /// Steps of the whole run.
    package var steps: Int
    /// Where the order of the items starts.
    package var seed: UInt64
    /// Learning rates at their highest.
    package var rates: Rates
    /// Steps over which the rates rise.
    package var warmUp: Int
    /// How the rates fall behind that.
    package var schedule: Schedule
    /// The longest gradient of all parameters together; a longer one is shortened.
    package var clip: Float
    /// Latent weights are coded anew after so many steps.
    package var recodeEvery: Int
    /// Held-out items are measured after so many steps.
    package var evaluateEvery: Int
    /// Parts of a batch that are computed side by side and added in order: results do not depend on the
    /// number of threads.
    package var shards: Int

    /// Learning rates by kind of parameter, relative: a step of Adam moves a parameter by about its rate
    /// times the root mean square of its array.
    package struct Rates: Sendable, Codable, Hashable {
        /// Of scales, alphas and centroids.
        package var numbers: Float
        /// Of latent weights.
        package var weights: Float
        /// Of biases and norms.
        package var vectors: Float

        /// Rates by kind.
        package init(numbers: Float, weights: Float, vectors: Float) {
            self.numbers = numbers
            self.weights = weights
            self.vectors = vectors
        }
    }

    /// How rates fall from their highest to 0.
    package enum Schedule: String, Sendable, Codable, CaseIterable {
        case linear, cosine, constant

        /// The share of the highest rate when so much of the run is done, from 0 to 1.
        func factor(_ progress: Double) -> Double {
            switch self {
            case .linear: 1 - progress
            case .cosine: (1 + cos(.pi * progress)) / 2
            case .constant: 1
            }
        }
    }

    /// A recipe's own settings for a run of so many steps.
    package init(_ recipe: TrainingRecipe, steps: Int, parameters: Int) {
        self.recipe = recipe
        self.steps = steps
        batchSize = 64
        seed = 0
        rates = recipe.rates(steps: steps)
        warmUp = 10
        schedule = .cosine
        clip = 1
        recodeEvery = recipe.replacesWeights ? max(1, min(100, steps / 30)) : recipe.learnsWeights ? 4 : 1
        evaluateEvery = Self.evaluateEvery(steps)
        // Every part has gradients of its own: two for what is large.
        shards = parameters > 8_000_000 ? 2 : 4
    }

    /// About twenty measurements a run, and at least ten steps between two.
    static func evaluateEvery(_ steps: Int) -> Int { max(10, steps / 20) }

    /// Everything but the recipe and the steps, for a log.
    package var text: [String: String] {
        [
            "batchSize": "\(batchSize)", "seed": "\(seed)", "rates.numbers": "\(rates.numbers)",
            "rates.weights": "\(rates.weights)", "rates.vectors": "\(rates.vectors)",
            "warmUp": "\(warmUp)", "schedule": schedule.rawValue, "clip": "\(clip)",
            "recodeEvery": "\(recodeEvery)", "shards": "\(shards)",
        ]
    }

    /// Whether weights of a sublayer are replaced by what codes stand for, so far into the run.
    ///
    /// - Source: Chung et al. 2020, section 3.3: first the embedding, then the decoder, then the encoder.
    func isQuantized(_ kind: SublayerKind, at step: Int) -> Bool {
        let phase = 3 * step / max(1, steps)
        if kind == .embedding { return true }
        return phase >= (kind.stack == SublayerKind.decoderStack ? 1 : 2)
    }

    /// What rates are multiplied by at step `step`, from 0.
    func rateFactor(_ step: Int) -> Double {
        guard step >= warmUp else { return Double(step + 1) / Double(warmUp) }
        return schedule.factor(Double(step - warmUp) / Double(max(1, steps - warmUp)))
    }
}

/// What is learned, by name.
package enum TrainingRecipe: String, Sendable, Codable, CaseIterable {
    /// Scales, alphas, centroids, biases and norms, codes fixed; the loss is KL to the full-precision model.
    ///
    /// - Source: EfficientQAT's second phase (Chen et al. 2024) and AlphaTuning (Kwon et al. 2022), with KL
    ///   in place of labels.
    case scales
    /// Latent weights too, from which codes follow.
    case weights
    /// Weights in full precision, replaced by what their codes stand for every few steps: those of the
    /// embedding in the first third of the run, those of decoders too in the second, all in the last; the
    /// loss is cross-entropy to references.
    ///
    /// - Source: Chung et al. 2020, section 3.3.
    case chung

    /// Whether there are latent weights.
    package var learnsWeights: Bool { self != .scales }

    /// Bytes that a run needs beside its activations: the full network, levels of codes, weights in both
    /// directions; with latent weights also these, two moments and the gradients of each part.
    package func memoryBytes(parameters: Int) -> Int {
        let shards = TrainingSettings(self, steps: 1, parameters: parameters).shards
        return 4 * parameters * (learnsWeights ? 7 + shards : 4)
    }

    /// What the loss takes from labels; nil for KL to the full-precision model.
    var labelSmoothing: Float? { self == .chung ? 0.1 : nil }

    /// Whether the recipe learns from references.
    package var needsReferences: Bool { labelSmoothing != nil }

    /// Whether weights are free between two replacements, rather than codes at every step.
    package var replacesWeights: Bool { self == .chung }

    /// Rates that measured best for a run of so many steps. Latent weights that go too far too fast leave
    /// good codes and find none again before the rate has fallen: in a short run they need larger steps to
    /// reach other codes at all, in a long one small steps do.
    func rates(steps: Int) -> TrainingSettings.Rates {
        switch self {
        case .scales: .init(numbers: 0.003, weights: 0, vectors: 0.001)
        case .weights:
            .init(
                numbers: 0.002, weights: Float(min(0.005, max(0.002, 4 / Double(max(1, steps))))),
                vectors: 0.002)
        case .chung: .init(numbers: 0, weights: 0.003, vectors: 0.003)
        }
    }
}
