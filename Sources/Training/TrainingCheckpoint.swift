import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat

/// A run of training on disk, from which it goes on bit by bit as it would have: parameters, the optimizer's
/// memory, the best parameters, and what the log has so far.
package struct TrainingCheckpoint: Sendable {
    /// What the run depends on; a run with another signature cannot go on from it.
    package let signature: [String: String]
    /// The settings of the run, its steps among them.
    package let settings: TrainingSettings
    /// Where the run is.
    package let state: TrainingState
    /// The log's points so far.
    package let points: [TrainingLog.Point]
    /// Losses of the batches since the last of them.
    package let recent: [Double]

    /// A checkpoint of these parts.
    package init(
        signature: [String: String], settings: TrainingSettings, state: TrainingState,
        points: [TrainingLog.Point], recent: [Double]
    ) {
        self.signature = signature
        self.settings = settings
        self.state = state
        self.points = points
        self.recent = recent
    }

    /// What the header says beside the tensors.
    private struct Header: Codable {
        let signature: [String: String]
        let settings: TrainingSettings
        let step: Int
        let points: [TrainingLog.Point]
        let recent: [Double]
        let bestLoss: Double?
        let bestStep: Int?
    }

    private static var headerKey: String { "training" }

    /// Writes the checkpoint; an older one stays until this one is complete.
    package func write(to file: URL) throws {
        var tensors: [(name: String, tensor: PackedTensor)] = []
        func add(_ name: String, _ values: [Float]) {
            tensors.append((name, PackedTensor(shape: [values.count], floats: values)))
        }
        func add(_ prefix: String, _ packed: [String: PackedMatrix]) {
            for (tensor, matrix) in packed.sorted(by: { $0.key < $1.key }) {
                for (part, values) in matrix.parts.sorted(by: { $0.key < $1.key }) {
                    tensors.append(("\(prefix).\(tensor).\(part)", values))
                }
            }
        }
        add("codes", try state.model.packed())
        for parameter in state.model.parameters {
            add("\(parameter)", state.model[parameter])
            if let moments = state.moments[parameter] {
                add("first.\(parameter)", moments.first)
                add("second.\(parameter)", moments.second)
            }
        }
        if let best = state.best {
            add("best", best.packed)
            for (name, values) in best.vectors.sorted(by: { $0.key < $1.key }) { add("best.\(name)", values) }
        }
        let header = Header(
            signature: signature, settings: settings, step: state.step, points: points, recent: recent,
            bestLoss: state.best?.loss, bestStep: state.best?.step)
        let text = String(decoding: try JSONFile.data(header), as: UTF8.self)
        let byName = Dictionary(tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
        try SafetensorsWriter.write(
            tensors.map { .init(name: $0.name, type: $0.tensor.type, shape: $0.tensor.shape) },
            metadata: [Self.headerKey: text], to: file
        ) { byName[$0.name]?.bytes ?? Data() }
    }

    /// Reads the checkpoint of a run that began at `start`.
    ///
    /// - Parameter signature: of the run that is to go on.
    /// - Throws: `FileError` where the file is none, is damaged, or is of another run.
    package init(_ file: URL, from start: TrainingState, signature: [String: String]) throws {
        let tensors = try Safetensors(file)
        guard let text = tensors.metadata[Self.headerKey] else {
            throw FileError(file, "is no checkpoint of a training run")
        }
        let header = try JSONFile.decode(Header.self, from: Data(text.utf8), file: file)
        for key in Set(signature.keys).union(header.signature.keys).sorted()
        where signature[key] != header.signature[key] {
            throw FileError(
                file,
                "is the checkpoint of another run: \(key) is \(header.signature[key] ?? "not given") there and \(signature[key] ?? "not given") here"
            )
        }
        var state = start
        func packed(_ prefix: String, _ tensor: String, like matrix: PackedMatrix) throws -> PackedMatrix {
            var parts: [String: PackedTensor] = [:]
            for part in matrix.parts.keys { parts[part] = try tensors.packed("\(prefix).\(tensor).\(part)") }
            return PackedMatrix(
                scheme: matrix.scheme, rows: matrix.rows, columns: matrix.columns, parts: parts)
        }
        let shapes = try start.model.packed()
        do {
            var matrices: [String: PackedMatrix] = [:]
            for (tensor, matrix) in shapes { matrices[tensor] = try packed("codes", tensor, like: matrix) }
            state.model = try start.model.over(matrices)
        } catch let error as PackedMatrixError { throw FileError(file, "\(error)") }
        for parameter in start.model.parameters {
            let count = start.model[parameter].count
            state.model[parameter] = try tensors.floats("\(parameter)", shape: [count])
            state.moments[parameter] = TrainingState.Moments(
                first: try tensors.floats("first.\(parameter)", shape: [count]),
                second: try tensors.floats("second.\(parameter)", shape: [count]))
        }
        state.step = header.step
        if let loss = header.bestLoss, let step = header.bestStep {
            var matrices: [String: PackedMatrix] = [:]
            for (tensor, matrix) in shapes { matrices[tensor] = try packed("best", tensor, like: matrix) }
            var vectors: [String: [Float]] = [:]
            for (name, values) in start.model.vectors {
                vectors[name] = try tensors.floats("best.\(name)", shape: [values.count])
            }
            state.best = TrainingState.Best(loss: loss, step: step, packed: matrices, vectors: vectors)
        }
        self.init(
            signature: signature, settings: header.settings, state: state, points: header.points,
            recent: header.recent)
    }
}
