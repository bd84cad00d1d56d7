import PlanFormat

/// Which of SensiMix's three ways are used.
package struct SensiMixParts: Sendable, Codable, Hashable {
    /// Absolute binary weight regularization: weights that will be signs are drawn to -1 and 1.
    package var abwr = true
    /// Prioritized training: inputs become signs first, weights a stage later.
    package var pt = true
    /// Inverse layer-wise fine-tuning: the last layer becomes 1-bit first, one more with every stage.
    package var ilf = true

    /// All three.
    package init() {}

    /// The part of this name; nil where there is none.
    package static func part(_ name: String) -> WritableKeyPath<SensiMixParts, Bool>? {
        switch name {
        case "abwr": \.abwr
        case "pt": \.pt
        case "ilf": \.ilf
        default: nil
        }
    }

    /// The parts that are used, by name.
    var text: String {
        [(abwr, "abwr"), (pt, "pt"), (ilf, "ilf")].filter(\.0).map(\.1).joined(separator: ",")
    }
}

/// 8-bit weights learn through their codes from the start; 1-bit layers become so in stages.
///
/// With n layers of unscaled signs, a stage is `1 / 2n` of the run: the last layer's inputs become signs in
/// the first stage, its weights in the second, when the inputs of the layer before it follow, and so on. The
/// rest of the run, the half or nearly, sees all of them.
/// - Source: SensiMix (Piao et al. 2022), sections "1-bit quantization-aware training" (ABWR, PT) and
///   "Inverse layer-wise fine-tuning". A stage there is an epoch of six.
package struct SensiMixStages: TrainingMethod {
    private let settings: TrainingSettings
    private let parts: SensiMixParts
    /// Places of the sublayers of signs, the last to run first.
    private let order: [Int]

    init(settings: TrainingSettings, parts: SensiMixParts, _ matrices: [TrainedMatrix]) {
        self.settings = settings
        self.parts = parts
        order = Set(matrices.filter { $0.scheme.isUnscaledSigns }.map(\.place)).sorted(by: >)
    }

    package func role(of matrix: TrainedMatrix, at step: Int) -> MatrixRole {
        guard matrix.scheme.isUnscaledSigns, let turn = order.firstIndex(of: matrix.place) else {
            return MatrixRole(learnsNumbers: true, learnsWeights: true, following: .recoding)
        }
        let stage = step * 2 * order.count / max(1, settings.steps)
        let first = parts.ilf ? turn : 0
        let pull: Float = parts.abwr ? 1 : 0
        if stage >= first + (parts.pt ? 1 : 0) {
            return MatrixRole(learnsWeights: true, following: .recoding, pull: pull)
        }
        // Codes wait for the weights, which are measured as codes at every measurement.
        return MatrixRole(
            weights: .latent, quantizesInputs: stage >= first, learnsWeights: true, following: .recoding,
            pull: pull)
    }
}

extension Scheme {
    /// Whether weights and inputs become signs without scales.
    var isUnscaledSigns: Bool {
        if case .signs(let signs) = self { !signs.scaled } else { false }
    }
}
