import Foundation

/// A loss in nats summed over tokens: cross-entropy or KL of a sentence or, summed, of a corpus.
package struct TokenLoss: AdditiveArithmetic, Codable, Hashable, Sendable {
    /// The summed loss.
    package var nats: Double
    /// How many target tokens it is the loss of.
    package var tokens: Int

    /// Makes a loss from its sum and its number of tokens.
    package init(nats: Double, tokens: Int) {
        self.nats = nats
        self.tokens = tokens
    }

    /// The loss of no token.
    package static var zero: Self { Self(nats: 0, tokens: 0) }

    /// Adds losses and tokens.
    package static func + (a: Self, b: Self) -> Self {
        Self(nats: a.nats + b.nats, tokens: a.tokens + b.tokens)
    }

    /// Takes losses and tokens away again, up to rounding.
    package static func - (a: Self, b: Self) -> Self {
        Self(nats: a.nats - b.nats, tokens: a.tokens - b.tokens)
    }

    /// `nats / tokens`; nil where there is no token.
    package var natsPerToken: Double? { tokens > 0 ? nats / Double(tokens) : nil }

    /// `exp(nats / tokens)`; nil where there is no token. It depends on the tokenizer; bits per byte does
    /// not.
    package var perplexity: Double? { natsPerToken.map { exp($0) } }

    /// `nats / (log 2 * bytes)`; nil where there is no byte.
    ///
    /// - Parameter bytes: The UTF-8 length of the text that the tokens cover.
    package func bitsPerByte(bytes: Int) -> Double? { bytes > 0 ? nats / (log(2) * Double(bytes)) : nil }
}
