import Metrics

/// What one item (a sentence, a text) lost under a probe.
public struct ItemLoss: Sendable, Hashable, Codable {
    /// KL(full precision || probe), summed over the item's predictions.
    public var kl: TokenLoss
    /// Cross-entropy of the right answers under the probe, summed over the item's predictions.
    public var crossEntropy: TokenLoss

    /// A loss from its parts.
    public init(kl: TokenLoss, crossEntropy: TokenLoss) {
        self.kl = kl
        self.crossEntropy = crossEntropy
    }
}
