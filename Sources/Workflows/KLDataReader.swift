import BitplanMeasurements
import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat

/// Reads data as KL is measured on them: where their source asks for it, or has no references, the
/// full-precision model's own greedy outputs are the target tokens.
///
/// Own outputs are made once: a store keeps them. Data of a task without target tokens are read as they are.
final class KLDataReader<Family: ModelFamily> {
    private let model: Model<Family>
    private let options: TaskOptions
    private let store: MeasurementStore?
    /// The network in full precision, as soon as something needed it.
    private(set) var loaded: Family.Net?
    private var hashed: ModelIdentity?

    /// A reader for a model in full precision.
    ///
    /// - Parameters:
    ///   - options: how the model is run: batches and threads.
    ///   - store: where own outputs are kept; nil makes them anew.
    init(_ model: Model<Family>, options: TaskOptions, store: MeasurementStore?) {
        self.model = model
        self.options = options
        self.store = store
    }

    /// The network without weights.
    var outline: Family.Net { model.family.outline }

    /// What the model is used for.
    var task: any Task<Family.Net> { model.family.task }

    /// The network in full precision, read once.
    func network() throws -> Family.Net {
        if let loaded { return loaded }
        let network = try model.network()
        loaded = network
        return network
    }

    /// The weights' identity, computed once.
    func identity() throws -> ModelIdentity {
        if let hashed { return hashed }
        let identity = try model.identity()
        hashed = identity
        return identity
    }

    /// The items of a source.
    ///
    /// - Parameter note: called with a line before own outputs are made.
    /// - Throws: `UsageError` where own outputs are asked for although KL reads no references; what reading,
    ///   the model and the store throw.
    func read(
        _ source: DataSource, note: (String) -> Void = { _ in }
    ) throws -> Dataset<Family.Net.Example> {
        let task = model.family.task
        guard source.targets == .references || task.hasTargetTokens else {
            throw UsageError(
                "KL on the model's own outputs: expected a translation model; KL of a model of type '\(Family.modelType)' reads no references"
            )
        }
        let data = try source.read(model.family)
        guard source.targets(of: data, task) == .own else { return data }
        let key = try store.map { _ in
            OwnOutputKey(
                weights: try identity().sha256, configuration: try model.configurationHash(),
                inputs: try source.inputs.contentHash(), decoding: "greedy")
        }
        if let store, let key, let kept = try store.ownOutputs(key), kept.count == data.examples.count {
            return task.replacingTargets(data, kept)
        }
        note("making the model's own outputs for \(data.examples.count) items, which KL is measured on")
        let outputs = try task.ownTargets(try network(), of: data, options: options)
        if let store, let key { try store.record(outputs, of: key) }
        return task.replacingTargets(data, outputs)
    }
}

extension KLTargets {
    /// As sentences name them.
    var phrase: String {
        switch self {
        case .references: "references"
        case .own: "the model's own outputs"
        }
    }
}

extension DataSource {
    /// What KL is measured on; nil for a task whose KL has no target tokens.
    func targets<Net: Network>(of data: Dataset<Net.Example>, _ task: any Task<Net>) -> KLTargets? {
        guard task.hasTargetTokens else { return nil }
        return data.hasReferences ? targets : .own
    }

    /// The inputs alone, without references: own outputs depend on nothing else of the data.
    fileprivate var inputs: DataSource { DataSource(files: Array(files.prefix(1)), limit: limit) }
}
