import BitplanEncoding
import BitplanKernels
import BitplanLatency
import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat

/// What is to be evaluated, on what and how: a value, so that another process can be given it whole.
package struct EvaluationRequest: Codable, Hashable, Sendable {
    /// The model directory, packed or not.
    package var model: URL
    /// The full-precision model that KL is measured against.
    package var reference: URL?
    /// The data.
    package var source: DataSource
    /// How the task is run.
    package var options: TaskOptions
    /// Items that are answered one at a time, for the seconds of one.
    package var timed: Int
    /// A latency profile: what it predicts for these items stands beside what was measured.
    package var profile: URL?
    /// Whether KL on the reference model's own outputs is measured beside KL on the data's references.
    package var measuresOwn: Bool
    /// The store that keeps the reference model's own outputs; nil makes them anew.
    package var store: URL?

    /// A request from its parts; 16 items are timed where nothing is said.
    package init(
        model: URL, reference: URL? = nil, source: DataSource, options: TaskOptions = TaskOptions(),
        timed: Int = 16, profile: URL? = nil, measuresOwn: Bool = false, store: URL? = nil
    ) {
        self.model = model
        self.reference = reference
        self.source = source
        self.options = options
        self.timed = timed
        self.profile = profile
        self.measuresOwn = measuresOwn
        self.store = store
    }
}

/// Evaluates a model directory, packed or not.
///
/// The task is run first, over the weights as they are (packed ones stay packed); its time and memory are the
/// result's. The losses are scored after that.
/// - Parameter note: called with a line before the reference model's own outputs are made.
/// - Throws: one-line errors for what is missing or wrong.
package func evaluate<Family: ModelFamily>(
    _ family: Family.Type, _ request: EvaluationRequest, note: (String) -> Void = { _ in }
) throws -> Evaluation {
    let (directory, options) = (request.model, request.options)
    let profile = try request.profile.map { try readProfile($0) }
    let opened = try OpenedModel<Family>(directory)
    let data = try request.source.read(opened.family)
    guard data.hasReferences || request.reference != nil else {
        throw UsageError(
            "\(request.source.files[0].path): has no references, so no metric can be measured: expected references, or a full-precision model (--reference) that KL is measured against"
        )
    }
    let start = ContinuousClock.now
    let score = try opened.family.task.score(opened.network, on: data, options: options)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let peak = peakMemoryBytes()
    var alone: SentenceTimes?
    if request.timed > 0 {
        let model = try profile.map {
            try LatencyModel($0, layout: opened.family.layout, modelType: Family.modelType)
        }
        alone = try SentenceTimes(
            opened.network, data.examples, count: request.timed, maximumLength: options.maximumLength,
            predict: model.map { model in { try model.predict(opened.schemes, $0).seconds } })
    }
    let losses: [ItemLoss]
    var ownLosses: [ItemLoss]?
    if let reference = request.reference {
        let full = try Model<Family>(directory: reference)
        // Layers may have been dropped; what tokens are read and predicted with must be there alike.
        func ends(_ layout: ModelLayout) -> [SublayerShape] {
            layout.sublayers.filter { $0.name.depth == nil }
        }
        guard ends(full.layout) == ends(opened.family.layout) else {
            throw FileError(reference, "has other embeddings or outputs than \(directory.path)")
        }
        let reader = KLDataReader(
            full, options: options, store: try request.store.map { try MeasurementStore($0) })
        let network = try reader.network()
        func measure(_ targets: KLTargets) throws -> [ItemLoss] {
            var source = request.source
            source.targets = targets
            return try Evaluator(
                reference: network, examples: try reader.read(source, note: note).examples,
                threads: options.threads
            ).losses(of: opened.network)
        }
        losses = try measure(request.source.targets)
        if request.measuresOwn, full.family.task.hasTargetTokens {
            ownLosses =
                request.source.targets(of: data, full.family.task) == .own ? losses : try measure(.own)
        }
    } else {
        let evaluator = try Evaluator(
            reference: opened.network, examples: data.examples, threads: options.threads)
        losses = try evaluator.losses(of: opened.network)
    }
    let mean = LossMeasurement(losses)
    return Evaluation(
        metrics: Dictionary(uniqueKeysWithValues: score.values.map { ($0.name, $0.value) }),
        signature: data.hasReferences ? score.signature : nil, crossEntropy: mean.crossEntropyNats,
        kl: request.reference == nil ? nil : mean.klNats,
        klOwn: ownLosses.map { LossMeasurement($0).klNats },
        sentences: data.examples.count, bytes: opened.sizeInBytes,
        tokensPerSecond: Double(score.tokens) / max(seconds, 1e-9), peakMemoryBytes: peak,
        alone: alone)
}

/// A model directory ready to run: packed weights stay packed.
package struct OpenedModel<Family: ModelFamily> {
    package let family: Family
    package let network: Family.Net
    package let sizeInBytes: Int
    /// In order of the sublayers; FP32 for a model that is not packed.
    package let schemes: [Scheme]

    /// Opens a directory.
    package init(_ directory: URL) throws {
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
