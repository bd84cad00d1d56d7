/// How an encoder-decoder generates: what its generation settings say.
package struct TranslationSettings: Sendable, Equatable {
    /// What a target starts from; nil where it starts from nothing, an embedding of zeros.
    package let startToken: Int?
    /// What ends a sequence.
    package let endToken: Int
    /// The padding token.
    package let padToken: Int
    /// The token that every target begins with, behind what it starts from: a language; nil where it is free.
    package var forcedFirstToken: Int?
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
    /// What every token takes from the score of a finished sequence.
    package var wordPenalty: Float = 0
    /// The longest target in tokens, by source token; nil where the source says nothing of it.
    package var lengthFactor: Double?
    /// Longer sources are translated in parts of so many tokens, end symbol included; nil where no source is
    /// cut.
    package var longestSource: Int?
    /// Whether a beam search ends as soon as it has as many finished sequences as beams.
    package let stopsEarly: Bool
    /// Whether the scores are normalized again after tokens were banned or forced.
    package let renormalizes: Bool
    /// Whether a finished sequence keeps its place among the beams (Marian), or another goes on in it
    /// (transformers).
    package var finishedKeepPlaces = false

    /// The longest sequence of a source of so many tokens, start symbol included, where nothing else is asked
    /// for.
    func longest(source: Int) -> Int {
        guard let lengthFactor else { return maximumLength }
        return min(maximumLength, 1 + Int((lengthFactor * Double(source)).rounded(.up)))
    }
}
