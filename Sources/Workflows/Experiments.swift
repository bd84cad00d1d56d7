import Crypto
import Foundation
import Models
import PlanFormat
import Sensitivity
import Tensors

extension Model {
    /// SHA-256 of configuration and tokenizer: config.json and the family's other files, as far as they are there.
    func configurationHash() throws -> String {
        var hash = SHA256()
        for name in ["config.json"] + Family.companionFiles {
            let file = directory.appending(path: name)
            guard FileManager.default.fileExists(atPath: file.path) else { continue }
            let data = try FileError.read(file)
            hash.update(data: Data("\(name) \(data.count)\n".utf8))
            hash.update(data: data)
        }
        return hash.finalize().hexadecimal
    }
}

extension Experiment {
    /// The key of what is measured of a model on data.
    init<Family: ModelFamily>(
        _ model: Model<Family>, _ identity: ModelIdentity, source: DataSource, calibration: DataSource?,
        fit: CodeFit
    ) throws {
        let data = try contentHash(of: source.files, limit: source.limit)
        self.init(
            weights: identity.sha256, configuration: try model.configurationHash(), data: data,
            calibration: try calibration.map { try contentHash(of: $0.files, limit: $0.limit) } ?? data,
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
