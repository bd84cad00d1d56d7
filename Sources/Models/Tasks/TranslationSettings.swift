/// How an encoder-decoder generates: what its generation settings say.
package struct TranslationSettings: Sendable, Equatable {
    /// What a target starts from.
    package let startToken: Int
    /// What ends a sequence.
    package let endToken: Int
    /// The padding token.
    package let padToken: Int
    /// The token that a sequence of maximal length must end with.
    package let forcedEndToken: Int?
    /// Tokens that are never generated.
    package let bannedTokens: [Int]
    /// The longest sequence, start symbol included.
    package var maximumLength: Int
    /// `num_beams`.
    package var beams: Int
    /// `length_penalty`: the exponent of the length that scores are divided by.
    package let lengthPenalty: Double
    /// Whether a beam search ends as soon as it has as many finished sequences as beams.
    package let stopsEarly: Bool
    /// Whether the scores are normalized again after tokens were banned or forced.
    package let renormalizes: Bool
}
