import BitplanMetrics
import BitplanTensors
import Foundation
import PlanFormat

/// The version of the protocol: every request carries it, and the description answers with it.
package let evaluatorProtocolVersion = 1

/// A line that an evaluator reads.
struct EvaluatorRequest: Encodable, Sendable {
    /// What is asked for.
    enum Kind: String, Encodable, Sendable {
        /// What the evaluator is; the answer is `EvaluatorDescription` beside `id` and `version`.
        case describe
        /// KL and cross-entropy of items under assignments.
        case losses
        /// What the task's metric is made of, under assignments.
        case metric
    }

    /// How the matrices of an assignment are encoded.
    enum Encoding: String, Encodable, Sendable {
        /// Every matrix by itself.
        case alone
        /// Behind each other, as the packed model of a plan has them.
        case inOrder
    }

    /// What every tensor becomes; what is not named stays in full precision.
    struct Schemes: Encodable, Sendable {
        /// The schemes of matrices by tensor.
        let matrices: [String: Scheme]
        /// FP16 where the vectors are rounded to it; left out where they stay FP32.
        let vectors: Scheme?

        init(_ schemes: TensorSchemes) {
            matrices = schemes.matrices.filter { $0.value != .fp32 }
            vectors = schemes.vectors == .fp32 ? nil : .full(.fp16)
        }
    }

    let version = evaluatorProtocolVersion
    var id = 0
    let request: Kind
    var encoding: Encoding?
    /// Indices of the items whose losses are asked for.
    var items: [Int]?
    var assignments: [Schemes]?

    /// The request as errors name it.
    var name: String {
        switch request {
        case .describe: "its description"
        case .losses:
            "losses of \(assignments?.count ?? 0) assignments on \(items?.count ?? 0) items"
        case .metric: "the metric of \(assignments?.count ?? 0) assignments"
        }
    }

    /// The line.
    func line() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }
}

/// What every answer has.
struct EvaluatorHeader: Decodable {
    let id: Int
    /// Why what was asked for cannot be measured.
    let error: String?
}

/// The answer to `describe`, beside the description.
struct EvaluatorVersion: Decodable {
    let version: Int
}

/// The answer to `losses`: for every assignment, in order, the sums of every item.
struct EvaluatorLosses: Decodable {
    let losses: [Assignment]

    struct Assignment: Decodable {
        /// KL of every item, summed over its predictions, nats.
        let kl: [Double]
        /// Cross-entropy of every item, summed over its right answers, nats; left out where there are none.
        let crossEntropy: [Double]?
    }
}

/// The answer to `metric`.
struct EvaluatorMetrics: Decodable {
    let metrics: [EvaluatorMetric]
}

/// What a metric is made of, item by item, as evaluators write it: an object with one key.
package struct EvaluatorMetric: Decodable, Sendable {
    /// The metrics that there are.
    package enum Kind: String, Codable, CodingKey, Hashable, Sendable, CaseIterable {
        /// 1 where a prediction is right, 0 where it is wrong.
        case accuracy
        /// Pairs of the predicted value and the right one.
        case spearman
        /// Pairs of cross-entropy in nats and tokens.
        case perplexity
        /// Matches and totals of 1 to 4 words, and the lengths of hypothesis and reference: 10 counts.
        case bleu

        /// Whether less of it is better.
        package var prefersLess: Bool { self == .perplexity }
    }

    /// The items.
    let items: MetricItems
    /// Which metric it is.
    let kind: Kind

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Kind.self)
        guard let kind = container.allKeys.first, container.allKeys.count == 1 else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "expected one metric"))
        }
        func rows(of count: Int) throws -> [[Double]] {
            let rows = try container.decode([[Double]].self, forKey: kind)
            guard rows.allSatisfy({ $0.count == count && $0.allSatisfy(\.isFinite) }) else {
                throw wrong("expected \(count) numbers an item")
            }
            return rows
        }
        func wrong(_ text: String) -> DecodingError {
            .dataCorruptedError(forKey: kind, in: container, debugDescription: text)
        }
        func count(_ value: Double) throws -> Int {
            guard let count = Int(exactly: value), (0...1 << 40).contains(count) else {
                throw wrong("expected a count, got \(value)")
            }
            return count
        }
        self.kind = kind
        switch kind {
        case .accuracy:
            let right = try container.decode([Int].self, forKey: kind)
            guard right.allSatisfy({ $0 == 0 || $0 == 1 }) else { throw wrong("expected 0 or 1 an item") }
            items = .accuracy(isRight: right.map { $0 == 1 })
        case .spearman:
            let pairs = try rows(of: 2)
            items = .spearman(predicted: pairs.map { $0[0] }, right: pairs.map { $0[1] })
        case .perplexity:
            items = .perplexity(
                try rows(of: 2).map { TokenLoss(nats: $0[0], tokens: try count($0[1])) })
        case .bleu:
            items = .bleu(
                try rows(of: 10).map { row in
                    let counts = try row.map(count)
                    return BLEU.Statistics(
                        matches: SIMD4(counts[0..<4]), totals: SIMD4(counts[4..<8]),
                        hypothesisLength: counts[8], referenceLength: counts[9])
                })
        }
    }
}
