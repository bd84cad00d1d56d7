import PlanFormat

/// What one item (a sentence, a text) lost under a probe.
package struct ItemLoss: Sendable, Hashable, Codable {
    /// KL(full precision || probe), summed over the item's predictions.
    package var kl: TokenLoss
    /// Cross-entropy of the right answers under the probe, summed over the item's predictions.
    package var crossEntropy: TokenLoss

    /// A loss from its parts.
    package init(kl: TokenLoss, crossEntropy: TokenLoss) {
        self.kl = kl
        self.crossEntropy = crossEntropy
    }
}

extension LossMeasurement {
    /// The mean losses per prediction.
    package init(_ losses: [ItemLoss], metric: Double? = nil) {
        let kl = losses.map(\.kl)
        self.init(
            klNats: kl.reduce(.zero, +).natsPerToken ?? 0,
            standardError: (try? Estimate(perTokenOf: kl))?.standardError,
            crossEntropyNats: losses.map(\.crossEntropy).reduce(.zero, +).natsPerToken ?? 0,
            sentences: losses.count, metric: metric)
    }
}
