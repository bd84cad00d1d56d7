/// A 95% confidence interval; `[low, high]` in files.
public struct Interval: Codable, Hashable, Sendable {
    /// The lower end.
    public let low: Double
    /// The upper end.
    public let high: Double

    /// An interval from its ends.
    public init(low: Double, high: Double) {
        self.low = low
        self.high = high
    }

    /// Half the distance of its ends: the "±" of a symmetric interval.
    public var halfWidth: Double { (high - low) / 2 }

    /// Writes `[low, high]`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.unkeyedContainer()
        try container.encode(low)
        try container.encode(high)
    }

    /// Reads `[low, high]`.
    ///
    /// - Throws: `DecodingError` where there are not two numbers, or they are out of order.
    public init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        low = try container.decode(Double.self)
        high = try container.decode(Double.self)
        guard container.isAtEnd, low <= high else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "expected [low, high]"))
        }
    }
}

/// How much more one plan has of something than another, measured on the same items.
public struct Difference: Codable, Hashable, Sendable {
    /// The first less the second.
    public let value: Double
    /// The 95% interval of the paired difference; nil where the items are too few for one.
    public let interval: Interval?

    /// A difference from its parts.
    public init(value: Double, interval: Interval?) {
        self.value = value
        self.interval = interval
    }

    /// Whether the whole interval lies above 0.
    public var isAboveNoise: Bool { interval.map { $0.low > 0 } ?? false }

    /// Whether the whole interval lies below 0.
    public var isBelowNoise: Bool { interval.map { $0.high < 0 } ?? false }
}

/// A metric's name as its signature says it, `BLEU` of `BLEU|beam:1|...`; `metric` where none was measured.
package func metricName(_ signature: String?) -> String {
    signature?.split(separator: "|").first.map(String.init) ?? "metric"
}

/// A plan's model beside another, measured on the same items.
public struct PairedComparison: Codable, Hashable, Sendable {
    /// What the model is compared with: a plan's name or a directory.
    public let name: String
    /// Items that both were measured on.
    public let items: Int
    /// With fewer items a bootstrap says little of what other items would give.
    package static let fewestItems = 30
    /// KL per prediction, in nats, less that of the other; nil where KL was not measured.
    public let klNats: Difference?
    /// The task's metric less that of the other; nil where it was not measured.
    public let metric: Difference?

    /// A comparison from its parts.
    public init(name: String, items: Int, klNats: Difference?, metric: Difference?) {
        self.name = name
        self.items = items
        self.klNats = klNats
        self.metric = metric
    }
}
