import BitplanMetrics
import Foundation

/// What a metric is made of as bytes, bit for bit.
///
/// Layout: a byte for the metric (0 BLEU, 1 accuracy, 2 Spearman, 3 perplexity), the number of items
/// (LEB128), then for every item: of BLEU the matches of order 1 to 4, the totals of order 1 to 4, and the
/// lengths of hypothesis and reference (LEB128); of accuracy 1 or 0; of Spearman the predicted and the right
/// value; of perplexity nats and tokens. Numbers are 8 bytes, little-endian; counts LEB128.
enum MetricRecord {
    static func encode(_ items: MetricItems) -> Data {
        var bytes: [UInt8] = []
        func begin(_ kind: UInt8) {
            bytes.append(kind)
            bytes.append(count: items.count)
        }
        switch items {
        case .bleu(let statistics):
            begin(0)
            for sentence in statistics {
                for order in 0..<4 { bytes.append(count: sentence.matches[order]) }
                for order in 0..<4 { bytes.append(count: sentence.totals[order]) }
                bytes.append(count: sentence.hypothesisLength)
                bytes.append(count: sentence.referenceLength)
            }
        case .accuracy(let isRight):
            begin(1)
            bytes += isRight.map { $0 ? 1 : 0 }
        case .spearman(let predicted, let right):
            begin(2)
            for (predicted, right) in zip(predicted, right) {
                bytes.append(number: predicted)
                bytes.append(number: right)
            }
        case .perplexity(let losses):
            begin(3)
            for loss in losses {
                bytes.append(number: loss.nats)
                bytes.append(count: loss.tokens)
            }
        }
        return Data(bytes)
    }

    /// The items; nil where the bytes are not those of a metric.
    static func decode(_ data: Data) -> MetricItems? {
        var bytes = [UInt8](data)[...]
        guard let kind = bytes.popFirst(), let count = bytes.takeCount(), count <= bytes.count else {
            return nil
        }
        let items: MetricItems?
        switch kind {
        case 0: items = each(count) { takeStatistics(&bytes) }.map { .bleu($0) }
        case 1:
            items = each(count) { bytes.popFirst().flatMap { $0 <= 1 ? $0 == 1 : nil } }
                .map { .accuracy(isRight: $0) }
        case 2:
            items = each(2 * count) { bytes.takeNumber() }.map { values in
                .spearman(
                    predicted: (0..<count).map { values[2 * $0] },
                    right: (0..<count).map { values[2 * $0 + 1] })
            }
        case 3:
            items = each(count) {
                guard let nats = bytes.takeNumber(), let tokens = bytes.takeCount() else { return nil }
                return TokenLoss(nats: nats, tokens: tokens)
            }.map { .perplexity($0) }
        default: items = nil
        }
        return bytes.isEmpty ? items : nil
    }

    /// So many elements; nil where one is missing.
    private static func each<Element>(_ count: Int, _ take: () -> Element?) -> [Element]? {
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count {
            guard let element = take() else { return nil }
            elements.append(element)
        }
        return elements
    }

    private static func takeStatistics(_ bytes: inout ArraySlice<UInt8>) -> BLEU.Statistics? {
        guard let counts = each(10, { bytes.takeCount() }) else { return nil }
        return BLEU.Statistics(
            matches: SIMD4(counts[0..<4]), totals: SIMD4(counts[4..<8]), hypothesisLength: counts[8],
            referenceLength: counts[9])
    }
}
