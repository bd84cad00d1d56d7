import BitplanMetrics

/// The score of one item as it was measured, before what is known of all items corrects it.
///
/// Where predictions are scored by sketches, some positions spread over the data (the anchors) are scored by
/// all logits too: how much the sketches of a probe err, all in all, is measured there and taken out of every
/// item (a ratio estimate).
package struct ItemScore: Sendable, Hashable, Codable {
    /// The loss, sketched or not.
    package var loss: ItemLoss
    /// Which part of `loss.kl.nats` was sketched.
    package var sketchedNats: Double
    /// KL of the item's anchors by all logits, and as they were sketched.
    package var anchorNats: Double
    /// KL of the item's anchors as they were sketched.
    package var anchorSketchedNats: Double
    /// Anchors in the item.
    package var anchors: Int

    /// A score without anchors.
    package init(
        loss: ItemLoss, sketchedNats: Double = 0, anchorNats: Double = 0, anchorSketchedNats: Double = 0,
        anchors: Int = 0
    ) {
        self.loss = loss
        self.sketchedNats = sketchedNats
        self.anchorNats = anchorNats
        self.anchorSketchedNats = anchorSketchedNats
        self.anchors = anchors
    }
}

extension Collection where Element == ItemScore {
    /// What every item lost, the error of sketches taken out.
    package var losses: [ItemLoss] {
        let correction = anchorCorrection
        guard correction != 0 else { return map(\.loss) }
        return map { score in
            var loss = score.loss
            loss.kl.nats += correction * score.sketchedNats
            loss.crossEntropy.nats += correction * score.sketchedNats
            return loss
        }
    }

    /// The share of sketched KL that is missing there, by the anchors: exact over sketched KL, less 1.
    ///
    /// What sampling leaves of it cancels better over all positions than the anchors tell: the share is
    /// shrunk by what it may be by chance, judged by how the items' anchors differ.
    /// - Source: James and Stein 1961, for one mean: the positive part.
    private var anchorCorrection: Double {
        let anchored = filter { $0.anchors > 0 }
        let exact = anchored.reduce(0) { $0 + $1.anchorNats }
        let sketched = anchored.reduce(0) { $0 + $1.anchorSketchedNats }
        // Below this mean KL logits in single precision tell less than sketches do.
        guard exact > 2e-3 * Double(anchored.reduce(0) { $0 + $1.anchors }), sketched > 0 else { return 0 }
        let ratio = exact / sketched
        let squares = anchored.reduce(0) { sum, score in
            let left = score.anchorNats - ratio * score.anchorSketchedNats
            return sum + left * left
        }
        let count = Double(anchored.count)
        let variance = count / Swift.max(1, count - 1) * squares / (sketched * sketched)
        let correction = ratio - 1
        return correction == 0 ? 0 : correction * Swift.max(0, 1 - variance / (correction * correction))
    }
}
