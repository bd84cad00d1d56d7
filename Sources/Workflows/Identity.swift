import BitplanMeasurements
import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat

extension Model {
    /// SHA-256 of the weights by content: names, shapes and FP32 values of all tensors in order of their
    /// names.
    ///
    /// The same weights give the same identity whatever file they come in.
    /// - Throws: `FileError` where the weights cannot be read.
    package func identity() throws -> ModelIdentity {
        let hash = ContentHash()
        let matrices = layout.sublayers.flatMap(\.matrices).sorted { $0.tensor < $1.tensor }
        for shape in matrices {
            hash.add(shape.tensor, shape: [shape.rows, shape.columns], try matrix(shape).storage)
        }
        for (name, count) in family.vectors.sorted(by: { $0.name < $1.name }) {
            hash.add(name, shape: [count], try vector(name))
        }
        return ModelIdentity(type: family.type, sha256: hash.finish())
    }

    /// SHA-256 of configuration and tokenizer: config.json, or the settings that stand in its place, and the
    /// family's other files, as far as they are there.
    func configurationHash() throws -> String {
        let hash = ContentHash()
        let configuration = directory.appending(path: "config.json")
        if place != directory || !FileManager.default.fileExists(atPath: configuration.path) {
            let settings = try modelSettings(of: place).object
            hash.add(
                "settings", try JSONSerialization.data(withJSONObject: settings, options: [.sortedKeys]))
        }
        for name in ["config.json"] + family.companionFiles {
            let file = directory.appending(path: name)
            guard FileManager.default.fileExists(atPath: file.path) else { continue }
            hash.add(name, try FileError.read(file))
        }
        for (key, value) in family.chosenSettings.sorted(by: { $0.key < $1.key }) {
            hash.add(key, Data(value.utf8))
        }
        return hash.finish()
    }
}

extension Experiment {
    /// The key of what is measured of a model on data.
    package init<Family: ModelFamily>(
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
