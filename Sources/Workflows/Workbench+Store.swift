import BitplanKernels
import BitplanModels
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat

extension Model {
    /// SHA-256 of configuration and tokenizer: config.json and the family's other files, as far as they are there.
    func configurationHash() throws -> String {
        let hash = ContentHash()
        for name in ["config.json"] + Family.companionFiles {
            let file = directory.appending(path: name)
            guard FileManager.default.fileExists(atPath: file.path) else { continue }
            let data = try FileError.read(file)
            hash.add(name, data)
        }
        return hash.finish()
    }
}

extension Experiment {
    /// The key of what is measured of a model on data.
    init<Family: ModelFamily>(
        _ model: Model<Family>, _ identity: ModelIdentity, source: DataSource, calibration: DataSource?,
        fit: CodeFit
    ) throws {
        let data = try source.contentHash()
        self.init(
            weights: identity.sha256, configuration: try model.configurationHash(), data: data,
            calibration: try calibration.map { try $0.contentHash() } ?? data,
            fit: fit)
    }
}

extension TaskOptions {
    /// What the task's metric depends on, beside the model and the data: batches and threads do not count.
    func metricKey<Family: ModelFamily>(_ family: Family.Type) -> String {
        let length = maximumLength.map { "\($0)" } ?? "model"
        return "\(Family.modelType)|beams:\(beams)|length:\(length)|temperature:\(temperature)|seed:\(seed)"
    }
}

extension Workbench {
    /// The task's metric of an assignment whose matrices are encoded alone, kept where there is a store.
    func metric(of assignment: Assignment) throws -> Double {
        try metric(of: assignment, records) { try measurer.network(assignment) }
    }

    private func metric(
        of assignment: Assignment, _ records: StoredExperiment?, network: () throws -> Family.Net
    ) throws -> Double {
        let key = options.task.metricKey(Family.self)
        if let kept = try records?.cell(assignment).metrics[key] { return kept }
        let value = try score(network()).values.first?.value ?? 0
        try records?.record(value, metric: key, of: assignment)
        return value
    }

    /// What every item loses under a plan, and the plan's metric where it is asked for, measured on the codes that its packed model
    /// will have.
    private func packedScores(
        of assignment: Assignment, withMetric: Bool
    ) throws -> (losses: [ItemLoss], metric: Double?) {
        // Encoded once, and only where something is not known.
        var encoded: Family.Net?
        func probe() throws -> Family.Net {
            if let encoded { return encoded }
            let evaluator = measurer.evaluator
            var matrices: [String: any LinearOperator] = [:]
            for (tensor, packed) in try encoder.encode(assignment) {
                matrices[tensor] = try evaluator.measuring(packed, of: tensor)
            }
            let network = try evaluator.reference.replacing(matrices)
            encoded = network
            return network
        }
        let batches = measurer.evaluator.batchSizes
        func measure() throws -> [ItemScore] {
            try measurer.evaluator.scores(of: probe(), from: 0, states: [], batches: batches.indices)
        }
        let scores =
            try packedRecords?.finishedScores(
                of: assignment, items: 0..<batches.reduce(0, +), measure: measure) ?? measure()
        return (
            scores.losses, withMetric ? try metric(of: assignment, packedRecords, network: probe) : nil
        )
    }

    /// What every item loses under a plan, measured on the codes that its packed model will have.
    func packedLosses(of assignment: Assignment) throws -> [ItemLoss] {
        try packedScores(of: assignment, withMetric: false).losses
    }

    /// A plan's loss and score, measured on the codes that its packed model will have.
    package func measurePacked(_ assignment: Assignment) throws -> LossMeasurement {
        let (losses, metric) = try packedScores(of: assignment, withMetric: true)
        return LossMeasurement(losses, metric: metric)
    }
}
