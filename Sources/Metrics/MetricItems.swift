/// What a task's metric is made of, item by item: enough to compute it over any of the items again.
///
/// A metric of a corpus is no mean of its items' values (corpus BLEU, Spearman's rank correlation), so its
/// noise is found by computing it over items that are drawn anew (`Bootstrap`).
package enum MetricItems: Hashable, Sendable {
    /// Corpus BLEU, 0 to 100: the counts of every sentence.
    case bleu([BLEU.Statistics])
    /// Accuracy, 0 to 1: whether every prediction is right.
    case accuracy(isRight: [Bool])
    /// Spearman's rank correlation, -1 to 1, of predicted values and right ones.
    case spearman(predicted: [Double], right: [Double])
    /// Perplexity per token: the cross-entropy of every item.
    case perplexity([TokenLoss])

    /// How many items there are.
    package var count: Int {
        switch self {
        case .bleu(let statistics): statistics.count
        case .accuracy(let isRight): isRight.count
        case .spearman(let predicted, let right): min(predicted.count, right.count)
        case .perplexity(let losses): losses.count
        }
    }

    /// The metric of all items; 0 where it is undefined, as the tasks report it.
    package var value: Double { value(of: Array(0..<count)) ?? 0 }

    /// The metric of the items at these indices, with repetitions; nil where it is undefined (a correlation
    /// of constants, a perplexity of no token, nothing at all).
    ///
    /// - Parameter indices: below `count`.
    /// - Complexity: O(indices), for correlations O(indices log indices).
    package func value(of indices: [Int]) -> Double? {
        guard !indices.isEmpty else { return nil }
        switch self {
        case .bleu(let statistics):
            return BLEU().score(indices.reduce(into: .zero) { $0 += statistics[$1] })
        case .accuracy(let isRight):
            return Double(indices.count { isRight[$0] }) / Double(indices.count)
        case .spearman(let predicted, let right):
            return try? Correlation.spearman(indices.map { predicted[$0] }, indices.map { right[$0] })
        case .perplexity(let losses):
            return indices.reduce(into: TokenLoss.zero) { $0 += losses[$1] }.perplexity
        }
    }
}
