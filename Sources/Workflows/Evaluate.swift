import BitplanEncoding
import BitplanKernels
import BitplanLatency
import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanSensitivity
import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// What is to be evaluated, on what and how: a value, so that another process can be given it whole.
package struct EvaluationRequest: Codable, Hashable, Sendable {
    /// The model directory, packed or not.
    package var model: URL
    /// The full-precision model that KL is measured against.
    package var reference: URL?
    /// Another model directory that this one is compared with, item by item.
    package var other: URL?
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
        model: URL, reference: URL? = nil, other: URL? = nil, source: DataSource,
        options: TaskOptions = TaskOptions(), timed: Int = 16, profile: URL? = nil,
        measuresOwn: Bool = false, store: URL? = nil
    ) {
        self.model = model
        self.reference = reference
        self.other = other
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
/// result's. The losses are scored after that, and another model that it is compared with comes last.
/// - Parameter note: called with a line before the reference model's own outputs are made.
/// - Throws: one-line errors for what is missing or wrong.
package func evaluate<Family: ModelFamily>(
    _ family: Family.Type, _ request: EvaluationRequest, note: (String) -> Void = { _ in }
) throws -> Evaluation {
    let (directory, options) = (request.model, request.options)
    let profile = try request.profile.map { try readProfile($0) }
    let opened = try OpenedModel<Family>(directory, languages: options.languages)
    let task = try opened.family.task.prepared(options)
    let data = try request.source.read(opened.family)
    guard data.hasReferences || request.reference != nil else {
        throw UsageError(
            "\(request.source.files[0].path): has no references, so no metric can be measured: expected references, or a full-precision model (--reference) that KL is measured against"
        )
    }
    let start = ContinuousClock.now
    let score = try task.score(opened.network, on: data, options: options)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let peak = peakMemoryBytes()
    var alone: SentenceTimes?
    if request.timed > 0 {
        let model = try profile.map {
            try LatencyModel($0, layout: opened.layout, modelType: Family.modelType)
        }
        alone = try SentenceTimes(
            opened.network, data.examples, count: request.timed, maximumLength: options.maximumLength,
            predict: model.map { model in { try model.predict(opened.schemes, $0).seconds } })
    }
    /// Layers may have been dropped; what tokens are read and predicted with must be there alike.
    func requireSameEnds(_ layout: ModelLayout, of other: URL) throws {
        func ends(_ layout: ModelLayout) -> [SublayerShape] {
            layout.sublayers.filter { $0.name.depth == nil }
        }
        guard ends(layout) == ends(opened.family.layout) else {
            throw FileError(other, "has other embeddings or outputs than \(directory.path)")
        }
    }
    let evaluator: Evaluator<Family.Net>
    /// Only where KL on own outputs is another than the first one.
    var ownEvaluator: Evaluator<Family.Net>?
    let isOwn = request.source.targets(of: data, task) == .own
    if let reference = request.reference {
        let full = try Model<Family>(directory: reference, languages: options.languages)
        try requireSameEnds(full.family.layout, of: reference)
        let reader = KLDataReader(
            full, options: options, store: try request.store.map { try MeasurementStore($0) })
        func measuring(on targets: KLTargets) throws -> Evaluator<Family.Net> {
            var source = request.source
            source.targets = targets
            return try Evaluator(
                reference: try reader.network(), examples: try reader.read(source, note: note).examples,
                threads: options.threads)
        }
        evaluator = try measuring(on: request.source.targets)
        if request.measuresOwn, task.hasTargetTokens, !isOwn { ownEvaluator = try measuring(on: .own) }
    } else {
        evaluator = try Evaluator(
            reference: opened.network, examples: data.examples, threads: options.threads)
    }
    let measured = PlanMeasurement(try evaluator.losses(of: opened.network), metric: score.items)
    var against: PairedComparison?
    if let other = request.other {
        let its = try OpenedModel<Family>(other, languages: options.languages)
        try requireSameEnds(its.family.layout, of: other)
        // Read by its own family, which refuses what its network cannot take.
        let itsScore = try its.family.task.prepared(options).score(
            its.network, on: try request.source.read(its.family), options: options)
        let itsMeasurement = PlanMeasurement(
            request.reference == nil ? measured.losses : try evaluator.losses(of: its.network),
            metric: itsScore.items)
        against = try measured.compared(
            with: itsMeasurement, named: other.path, comparesKL: request.reference != nil)
    }
    let mean = measured.mean
    let klOwn = try ownEvaluator.map { LossMeasurement(try $0.losses(of: opened.network)).klNats }
    return Evaluation(
        metrics: Dictionary(uniqueKeysWithValues: score.values.map { ($0.name, $0.value) }),
        signature: data.hasReferences ? score.signature : nil, crossEntropy: mean.crossEntropyNats,
        kl: request.reference == nil ? nil : mean.klNats,
        klOwn: klOwn ?? (request.measuresOwn && isOwn && request.reference != nil ? mean.klNats : nil),
        sentences: data.examples.count, bytes: opened.sizeInBytes,
        tokensPerSecond: Double(score.tokens) / max(seconds, 1e-9), peakMemoryBytes: peak,
        alone: alone, against: against)
}

/// A model directory ready to run: packed weights stay packed.
package struct OpenedModel<Family: ModelFamily> {
    package let family: Family
    package let network: Family.Net
    package let sizeInBytes: Int
    /// What has a scheme of its own.
    package let layout: ModelLayout
    /// In order of the layout; FP32 for a model that is not packed.
    package let schemes: [Scheme]

    /// Opens a directory; `languages` as of `Model`.
    package init(_ directory: URL, languages: TranslationLanguages? = nil) throws {
        if try PackedModel<Family>.isPacked(directory) {
            let packed = try PackedModel<Family>(directory: directory, languages: languages)
            family = packed.family
            network = try packed.network()
            sizeInBytes = packed.sizeInBytes
            layout = packed.plan.layout(of: packed.layout)
            schemes = try packed.plan.schemes(of: layout)
        } else {
            let model = try Model<Family>(directory: directory, languages: languages)
            family = model.family
            network = try model.network()
            sizeInBytes = model.layout.fullPrecisionBytes
            layout = model.layout
            schemes = layout.uniform(.fp32)
        }
        returnFreedMemory()
    }
}
