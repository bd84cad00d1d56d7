import BitplanEncoding
import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat

/// Writes a full-precision model that has only some of a model's layers, renumbered, for compressions that
/// drop layers (SensiMix, LayerDrop); everything else is the model's.
///
/// - Parameter layers: the layers that stay, from 0, in rising order.
/// - Returns: the new model's layout.
/// - Throws: one-line errors for layers that are not there, families of several stacks, and an output that
///   exists; nothing is left behind.
package func dropLayers<Family: ModelFamily>(
    _ family: Family.Type, model directory: URL, keeping layers: [Int], to output: URL
) throws -> ModelLayout {
    let model = try Model<Family>(directory: directory)
    guard let stack = model.family.layerStack else {
        throw UsageError(
            "layers are dropped from models of one stack, this is a \(model.family.type)"
                + (model.family.layout.sublayers.contains { $0.name.kind.stack != nil }
                    ? "" : " whose layers are not alike"))
    }
    let settings = try FileError.readObject(directory.appending(path: "config.json"))
    let count = settings[stack.countKey] as? Int ?? 0
    guard let last = layers.last, layers == Set(layers).sorted(), layers[0] >= 0, last < count else {
        throw UsageError(
            "expected some of the layers 0 to \(count - 1), each once and in order, got \(layers.map(String.init).joined(separator: ","))"
        )
    }
    if let content = try? FileManager.default.contentsOfDirectory(atPath: output.path), content != [] {
        throw FileError(output, "exists: it is not written over")
    }
    let configuration = try JSONSerialization.data(
        withJSONObject: stack.keeping(layers, settings),
        options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    try AtomicWrite.directory(output) { target in
        try AtomicWrite.file(configuration + Data("\n".utf8), to: target.appending(path: "config.json"))
        try PackedModel.copyCompanions(of: model, to: target)
        let reduced = try Family(directory: target)
        let matrices = reduced.layout.sublayers.flatMap(\.matrices)
        var shapes: [String: MatrixShape] = [:]
        for shape in matrices { shapes[shape.tensor] = shape }
        let declarations =
            matrices.map {
                SafetensorsWriter.Declaration(name: $0.tensor, type: .float32, shape: [$0.rows, $0.columns])
            } + reduced.vectors.map { .init(name: $0.name, type: .float32, shape: [$0.count]) }
        try SafetensorsWriter.write(
            declarations, metadata: ["format": "pt"], to: target.appending(path: "model.safetensors")
        ) { declaration in
            let old = stack.renamed(declaration.name) { layers[$0] }
            let numbers =
                if let shape = shapes[declaration.name] {
                    try model.matrix(.init(tensor: old, rows: shape.rows, columns: shape.columns)).storage
                } else {
                    try model.vector(old)
                }
            return numbers.withUnsafeBytes { Data($0) }
        }
    }
    return try Family(directory: output).layout
}
