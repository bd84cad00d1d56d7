import PlanFormat

/// Why a recipe cannot train a plan; one line each.
package enum RecipeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No matrix has a scheme that the recipe is made for.
    case schemeMissing(TrainingRecipe, expected: String)
    /// The model has not the sublayers that it is made for.
    case otherFamily(TrainingRecipe, expected: String)
    /// Blocks of noise that do not fill a row.
    case block(Int, tensor: String, columns: Int)
    /// A share of blocks that is none.
    case rate(Double)
    /// A setting that another recipe has.
    case notHonoured(setting: String, TrainingRecipe, of: TrainingRecipe)

    /// What is wrong, expected and got.
    package var description: String {
        switch self {
        case .schemeMissing(let recipe, let expected):
            "recipe '\(recipe.rawValue)': expected a plan with \(expected), got none"
        case .otherFamily(let recipe, let expected):
            "recipe '\(recipe.rawValue)': expected a model with \(expected), got none"
        case .block(let block, let tensor, let columns):
            "--noise-block: expected a divisor of the \(columns) columns of \(tensor), got \(block)"
        case .rate(let rate): "--noise-rate: expected more than 0 and at most 1, got \(rate)"
        case .notHonoured(let setting, let recipe, let other):
            "\(setting) is a setting of recipe '\(other.rawValue)', not of '\(recipe.rawValue)'"
        }
    }
}

extension TrainingSettings {
    /// Checks that the recipe can train these matrices as it says.
    ///
    /// - Throws: `RecipeError`.
    package func check(_ matrices: [TrainedMatrix]) throws(RecipeError) {
        if let noise {
            guard noise.rate > 0, noise.rate <= 1 else { throw .rate(noise.rate) }
            for matrix in matrices.sorted(by: { $0.tensor < $1.tensor }) {
                guard let block = noise.block else { break }
                guard block > 0, matrix.columns % block == 0 else {
                    throw .block(block, tensor: matrix.tensor, columns: matrix.columns)
                }
            }
        }
        func require(_ expected: String, _ isMeant: (Scheme) -> Bool) throws(RecipeError) {
            guard matrices.contains(where: { isMeant($0.scheme) }) else {
                throw .schemeMissing(recipe, expected: expected)
            }
        }
        switch recipe {
        case .ipq:
            try require("product codes (pq:b8:k256)") { if case .productCodes = $0 { true } else { false } }
        case .sensimix: try require("unscaled signs (sign)") { $0.isUnscaledSigns }
        case .bitnet: try require("BitLinear (bitlinear)") { if case .bitLinear = $0 { true } else { false } }
        case .chung:
            let stacks = Set(matrices.compactMap(\.sublayer.kind.stack))
            guard stacks.count > 1 else { throw .otherFamily(recipe, expected: "an encoder and a decoder") }
        case .scales, .weights, .quantNoise: break
        }
    }
}
