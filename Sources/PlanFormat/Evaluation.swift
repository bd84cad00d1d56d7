/// What a model does on data, measured.
public struct Evaluation: Codable, Sendable {
    /// The task's metrics by name (`bleu`, `chrf2`); none where the data have no references.
    public let metrics: [String: Double]
    /// The metrics' settings, as the field writes them; nil where none was measured.
    public let signature: String?
    /// Mean cross-entropy of the right answers per prediction, in nats; of the reference model's own outputs
    /// where the data have none.
    public let crossEntropy: Double
    /// Mean KL(reference || model) per prediction, in nats, on the data's references, or on the reference
    /// model's own outputs where the data have none; nil without a reference model.
    public let kl: Double?
    /// The same on the reference model's own outputs; nil where that was not asked for, or is no other KL
    /// because the task's KL reads no references.
    public let klOwn: Double?
    /// Items that were measured.
    public let sentences: Int
    /// Bytes of all tensors: FP32 for a model that is not packed.
    public let bytes: Int
    /// Tokens generated per second, all threads together.
    public let tokensPerSecond: Double
    /// The most memory that the process had.
    public let peakMemoryBytes: Int
    /// Items answered one at a time on one thread; nil where none were timed.
    public let alone: SentenceTimes?
    /// How this model differs from another one on the same items; nil where no other was given.
    public let against: PairedComparison?

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Metrics stand beside the other keys.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        for (name, value) in metrics { try container.encode(value, forKey: Key(name)) }
        try container.encodeIfPresent(signature, forKey: Key("signature"))
        try container.encode(crossEntropy, forKey: Key("crossEntropy"))
        try container.encode(kl, forKey: Key("kl"))
        try container.encodeIfPresent(klOwn, forKey: Key("klOwn"))
        try container.encode(sentences, forKey: Key("sentences"))
        try container.encode(bytes, forKey: Key("bytes"))
        try container.encode(tokensPerSecond, forKey: Key("tokensPerSecond"))
        try container.encode(peakMemoryBytes, forKey: Key("peakMemoryBytes"))
        try container.encodeIfPresent(alone, forKey: Key("alone"))
        try container.encodeIfPresent(against, forKey: Key("against"))
    }

    /// Reads what `encode(to:)` wrote.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        signature = try container.decodeIfPresent(String.self, forKey: Key("signature"))
        crossEntropy = try container.decode(Double.self, forKey: Key("crossEntropy"))
        kl = try container.decodeIfPresent(Double.self, forKey: Key("kl"))
        klOwn = try container.decodeIfPresent(Double.self, forKey: Key("klOwn"))
        sentences = try container.decode(Int.self, forKey: Key("sentences"))
        bytes = try container.decode(Int.self, forKey: Key("bytes"))
        tokensPerSecond = try container.decode(Double.self, forKey: Key("tokensPerSecond"))
        peakMemoryBytes = try container.decode(Int.self, forKey: Key("peakMemoryBytes"))
        alone = try container.decodeIfPresent(SentenceTimes.self, forKey: Key("alone"))
        against = try container.decodeIfPresent(PairedComparison.self, forKey: Key("against"))
        let fixed = [
            "signature", "crossEntropy", "kl", "klOwn", "sentences", "bytes", "tokensPerSecond",
            "peakMemoryBytes", "alone", "against",
        ]
        var metrics: [String: Double] = [:]
        for key in container.allKeys where !fixed.contains(key.stringValue) {
            metrics[key.stringValue] = try container.decode(Double.self, forKey: key)
        }
        self.metrics = metrics
    }

    /// An evaluation from its parts.
    public init(
        metrics: [String: Double], signature: String?, crossEntropy: Double, kl: Double?,
        klOwn: Double? = nil, sentences: Int, bytes: Int, tokensPerSecond: Double, peakMemoryBytes: Int,
        alone: SentenceTimes?, against: PairedComparison? = nil
    ) {
        self.against = against
        self.metrics = metrics
        self.signature = signature
        self.crossEntropy = crossEntropy
        self.kl = kl
        self.klOwn = klOwn
        self.sentences = sentences
        self.bytes = bytes
        self.tokensPerSecond = tokensPerSecond
        self.peakMemoryBytes = peakMemoryBytes
        self.alone = alone
    }
}

/// Items answered one at a time on one thread, as a user waits for them.
public struct SentenceTimes: Codable, Sendable {
    /// Median over the items of the median seconds of one.
    public let seconds: Double
    /// Mean over the items of the spread of one: half the distance of its quartiles, as a part of its median.
    public let spread: Double
    /// Median over the items of what a profile predicts; nil without one.
    public let predictedSeconds: Double?
    /// Items that were timed.
    public let sentences: Int
    /// Tokens that they read, on average.
    public let meanRead: Double
    /// Predictions that they took, on average.
    public let meanPredictions: Double

    /// Times from their parts.
    public init(
        seconds: Double, spread: Double, predictedSeconds: Double?, sentences: Int, meanRead: Double,
        meanPredictions: Double
    ) {
        self.seconds = seconds
        self.spread = spread
        self.predictedSeconds = predictedSeconds
        self.sentences = sentences
        self.meanRead = meanRead
        self.meanPredictions = meanPredictions
    }
}
