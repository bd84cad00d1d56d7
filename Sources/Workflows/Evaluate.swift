import BitplanKernels
import BitplanLatency
import BitplanMetrics
import BitplanModels
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat

/// What a model does on data, measured.
package struct Evaluation: Codable, Sendable {
    /// The task's metrics by name (`bleu`, `chrf2`).
    package let metrics: [String: Double]
    /// The metrics' settings, as the field writes them.
    package let signature: String
    /// Mean cross-entropy of the right answers per prediction, in nats.
    package let crossEntropy: Double
    /// Mean KL(reference || model) per prediction, in nats; nil without a reference.
    package let kl: Double?
    /// Items that were measured.
    package let sentences: Int
    /// Bytes of all tensors: FP32 for a model that is not packed.
    package let bytes: Int
    /// Tokens generated per second, all threads together.
    package let tokensPerSecond: Double
    /// The most memory that the process had.
    package let peakMemoryBytes: Int
    /// Items answered one at a time on one thread; nil where none were timed.
    package let alone: SentenceTimes?

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Metrics stand beside the other keys.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        for (name, value) in metrics { try container.encode(value, forKey: Key(name)) }
        try container.encode(signature, forKey: Key("signature"))
        try container.encode(crossEntropy, forKey: Key("crossEntropy"))
        try container.encode(kl, forKey: Key("kl"))
        try container.encode(sentences, forKey: Key("sentences"))
        try container.encode(bytes, forKey: Key("bytes"))
        try container.encode(tokensPerSecond, forKey: Key("tokensPerSecond"))
        try container.encode(peakMemoryBytes, forKey: Key("peakMemoryBytes"))
        try container.encodeIfPresent(alone, forKey: Key("alone"))
    }

    /// Reads what `encode(to:)` wrote.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        signature = try container.decode(String.self, forKey: Key("signature"))
        crossEntropy = try container.decode(Double.self, forKey: Key("crossEntropy"))
        kl = try container.decodeIfPresent(Double.self, forKey: Key("kl"))
        sentences = try container.decode(Int.self, forKey: Key("sentences"))
        bytes = try container.decode(Int.self, forKey: Key("bytes"))
        tokensPerSecond = try container.decode(Double.self, forKey: Key("tokensPerSecond"))
        peakMemoryBytes = try container.decode(Int.self, forKey: Key("peakMemoryBytes"))
        alone = try container.decodeIfPresent(SentenceTimes.self, forKey: Key("alone"))
        let fixed = [
            "signature", "crossEntropy", "kl", "sentences", "bytes", "tokensPerSecond", "peakMemoryBytes",
            "alone",
        ]
        var metrics: [String: Double] = [:]
        for key in container.allKeys where !fixed.contains(key.stringValue) {
            metrics[key.stringValue] = try container.decode(Double.self, forKey: key)
        }
        self.metrics = metrics
    }

    init(
        metrics: [String: Double], signature: String, crossEntropy: Double, kl: Double?, sentences: Int,
        bytes: Int,
        tokensPerSecond: Double, peakMemoryBytes: Int, alone: SentenceTimes?
    ) {
        self.metrics = metrics
        self.signature = signature
        self.crossEntropy = crossEntropy
        self.kl = kl
        self.sentences = sentences
        self.bytes = bytes
        self.tokensPerSecond = tokensPerSecond
        self.peakMemoryBytes = peakMemoryBytes
        self.alone = alone
    }
}

/// Evaluates a model directory, packed or not.
///
/// The task is run first, over the weights as they are (packed ones stay packed); its time and memory are the result's. The losses are
/// scored after that.
/// - Parameters:
///   - reference: the full-precision model that KL is measured against.
///   - timed: items that are answered one at a time, for the seconds of one.
///   - profile: where given, what it predicts for these items stands beside what was measured.
/// - Throws: one-line errors for what is missing or wrong.
package func evaluate<Family: ModelFamily>(
    _ family: Family.Type, model directory: URL, reference: URL?, source: DataSource, options: TaskOptions,
    timed: Int = 0, profile: LatencyProfile? = nil
) throws -> Evaluation {
    let opened = try OpenedModel<Family>(directory)
    let data = try source.read(opened.family)
    let start = ContinuousClock.now
    let score = try opened.family.score(opened.network, on: data, options: options)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let peak = peakMemoryBytes()
    var alone: SentenceTimes?
    if timed > 0 {
        let model = try profile.map {
            try LatencyModel($0, layout: opened.family.layout, modelType: Family.modelType)
        }
        alone = try SentenceTimes(
            opened.network, data.examples, count: timed, maximumLength: options.maximumLength,
            predict: model.map { model in { try model.predict(opened.schemes, $0).seconds } })
    }
    let losses: [ItemLoss]
    if let reference {
        let full = try Model<Family>(directory: reference)
        // Layers may have been dropped; what tokens are read and predicted with must be there alike.
        func ends(_ layout: ModelLayout) -> [SublayerShape] {
            layout.sublayers.filter { $0.name.depth == nil }
        }
        guard ends(full.layout) == ends(opened.family.layout) else {
            throw FileError(reference, "has other embeddings or outputs than \(directory.path)")
        }
        let evaluator = try Evaluator(
            reference: try full.network(), examples: data.examples, threads: options.threads)
        losses = try evaluator.losses(of: opened.network)
    } else {
        let evaluator = try Evaluator(
            reference: opened.network, examples: data.examples, threads: options.threads)
        losses = try evaluator.losses(of: opened.network)
    }
    let mean = LossMeasurement(losses)
    return Evaluation(
        metrics: Dictionary(uniqueKeysWithValues: score.values.map { ($0.name, $0.value) }),
        signature: score.signature, crossEntropy: mean.crossEntropyNats,
        kl: reference == nil ? nil : mean.klNats,
        sentences: data.examples.count, bytes: opened.sizeInBytes,
        tokensPerSecond: Double(score.tokens) / max(seconds, 1e-9), peakMemoryBytes: peak,
        alone: alone)
}

/// A model directory ready to run: packed weights stay packed.
struct OpenedModel<Family: ModelFamily> {
    let family: Family
    let network: Family.Net
    let sizeInBytes: Int
    /// In order of the sublayers; FP32 for a model that is not packed.
    let schemes: [Scheme]

    init(_ directory: URL) throws {
        if try PackedModel<Family>.isPacked(directory) {
            let packed = try PackedModel<Family>(directory: directory)
            family = packed.family
            network = try packed.network()
            sizeInBytes = packed.sizeInBytes
            schemes = try packed.plan.schemes(of: packed.family.layout)
        } else {
            let model = try Model<Family>(directory: directory)
            family = model.family
            network = try model.network()
            sizeInBytes = model.layout.fullPrecisionBytes
            schemes = model.layout.sublayers.map { _ in .fp32 }
        }
        returnFreedMemory()
    }
}
