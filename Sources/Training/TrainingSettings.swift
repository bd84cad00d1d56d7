import BitplanSensitivity
import Foundation
import PlanFormat

/// How a quantized model is trained.
package struct TrainingSettings: Sendable, Codable, Hashable {
    /// What is learned, and how.
    package var recipe: TrainingRecipe
    /// What it is learned from.
    package var objective: TrainingObjective
    /// What is learned under the objective `kl` gives so much of its probability to the label or the
    /// reference's token, the rest to what the full-precision model says.
    ///
    /// - Source: Hinton et al. 2015, section 2; with a model's own beam search as references, Kim and Rush
    ///   2016.
    package var labelShare: Double
    /// The noise of `quantNoise`, and before `ipq` where it has some; nil for other recipes.
    package var noise: QuantizationNoise?
    /// What `sensimix` does; nil for other recipes.
    package var sensimix: SensiMixParts?
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
    /// What is added to the root of each second moment, as a share of the root mean square of all of its
    /// array: numbers of few gradients, as those of rare tokens are, move less. nil for none.
    package var epsilon: Float?
    /// Latent weights are coded anew after so many steps.
    package var recodeEvery: Int
    /// Held-out items are measured after so many steps.
    package var evaluateEvery: Int
    /// Parts of a batch that are computed side by side and added in order: results do not depend on the
    /// number of threads.
    package var shards: Int
    /// Tokens of a part that are run forward and back together, which is what activations take memory for;
    /// nil for all of the part.
    package var tokensAtOnce: Int?

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
        objective = recipe.objective
        labelShare = 0
        noise = recipe == .quantNoise ? QuantizationNoise() : nil
        sensimix = recipe == .sensimix ? SensiMixParts() : nil
        batchSize = 64
        seed = 0
        rates = recipe.rates(steps: steps)
        warmUp = 10
        schedule = .cosine
        clip = 1
        recodeEvery = recipe.recodeEvery(steps: steps)
        evaluateEvery = Self.evaluateEvery(steps)
        // Every part has gradients of its own: two for what is large.
        shards = parameters > 8_000_000 ? 2 : 4
        tokensAtOnce = parameters > 8_000_000 ? 256 : nil
    }

    /// About twenty measurements a run, and at least ten steps between two.
    static func evaluateEvery(_ steps: Int) -> Int { max(10, steps / 20) }

    /// Everything but the recipe and the steps, for a log.
    package var text: [String: String] {
        var text = [
            "batchSize": "\(batchSize)", "seed": "\(seed)", "rates.numbers": "\(rates.numbers)",
            "rates.weights": "\(rates.weights)", "rates.vectors": "\(rates.vectors)",
            "warmUp": "\(warmUp)", "schedule": schedule.rawValue, "clip": "\(clip)",
            "recodeEvery": "\(recodeEvery)", "shards": "\(shards)", "objective": objective.rawValue,
        ]
        if let tokensAtOnce { text["tokensAtOnce"] = "\(tokensAtOnce)" }
        if let epsilon { text["epsilon"] = "\(epsilon)" }
        if labelShare > 0 { text["labelShare"] = "\(labelShare)" }
        if let noise {
            text["noise"] = noise.kind.rawValue
            text["noise.rate"] = "\(noise.rate)"
            text["noise.block"] = noise.block.map { "\($0)" } ?? "the scheme's"
        }
        if let sensimix { text["parts"] = sensimix.text }
        return text
    }

    /// Whether labels or references have a part in what is learned.
    package var learnsLabels: Bool { objective == .labels || labelShare > 0 }

    /// What is learned, of measured items: what the best parameters have least of.
    func learned(_ loss: LossMeasurement) -> Double {
        let share = objective == .labels ? 1 : labelShare
        // 0 times a cross-entropy that is none, of data without labels, would be none either.
        return share == 0 ? loss.klNats : (1 - share) * loss.klNats + share * loss.crossEntropyNats
    }

    /// Steps of noise before `ipq`, a stage with a schedule of its own; 0 for none.
    var stepsOfNoiseBefore: Int { recipe == .ipq && noise != nil ? steps / 2 : 0 }

    /// What rates are multiplied by at step `step`, from 0: in every stage they rise and fall anew.
    package func rateFactor(_ step: Int) -> Double {
        let isBefore = step < stepsOfNoiseBefore
        let done = isBefore ? step : step - stepsOfNoiseBefore
        let count = isBefore ? stepsOfNoiseBefore : steps - stepsOfNoiseBefore
        guard done >= warmUp else { return Double(done + 1) / Double(warmUp) }
        return schedule.factor(Double(done - warmUp) / Double(max(1, count - warmUp)))
    }
}
