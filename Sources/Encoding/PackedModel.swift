import BitplanKernels
import BitplanModels
import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat

/// A packed model directory: config.json with the plan inside, the packed tensors under plain names, the
/// tokenizer's files.
package struct PackedModel<Family: ModelFamily>: Sendable {
    /// Configuration and tokenizer.
    package let family: Family
    /// The plan that the weights were packed by.
    package let plan: Plan
    private let tensors: Safetensors
    private let configurationFile: URL

    /// Where config.json keeps the plan: `quantization_config.plan`, as quantized models do on Hugging Face.
    static var configurationKey: String { "quantization_config" }
    static var method: String { "bitplan" }

    /// Opens a packed directory; no weights are copied.
    ///
    /// - Throws: one-line errors for missing files, a plan that does not fit the configuration, missing
    ///   tensors or wrong shapes.
    package init(directory: URL) throws {
        let file = directory.appending(path: "config.json")
        configurationFile = file
        family = try Family(directory: directory)
        returnFreedMemory()
        let settings = try FileError.readObject(file)
        guard let quantization = settings[Self.configurationKey] as? [String: Any],
            quantization["quant_method"] as? String == Self.method, let plan = quantization["plan"]
        else { throw FileError(file, "has no plan: expected a packed model") }
        let data = try JSONSerialization.data(withJSONObject: plan)
        self.plan = try JSONFile.decode(Plan.self, from: data, file: file)
        tensors = try Safetensors(directory.appending(path: "model.safetensors"))
        try Self.checkLayout(tensors)
    }

    /// The version of the form that packed tensors have: names, types, shapes and order of the bytes. Add 1
    /// when any of them changes.
    package static var layoutVersion: Int { 1 }
    private static var layoutKey: String { "layout_version" }

    /// Refuses tensors in a form that this program does not read.
    private static func checkLayout(_ tensors: Safetensors) throws(FileError) {
        let written = tensors.metadata[layoutKey]
        guard written == "\(layoutVersion)" else {
            throw FileError(
                tensors.file,
                written.map { "written by layout version \($0), this program reads \(layoutVersion)" }
                    ?? "names no layout version, expected \(layoutVersion): quantize the model again")
        }
    }

    /// Whether a directory holds a packed model.
    package static func isPacked(_ directory: URL) throws -> Bool {
        let settings = try FileError.readObject(directory.appending(path: "config.json"))
        return (settings[configurationKey] as? [String: Any])?["quant_method"] as? String == method
    }

    /// Bytes of all tensors: the plan's bytes.
    package var sizeInBytes: Int { tensors.entries.values.reduce(0) { $0 + $1.range.count } }

    /// A packed matrix, mapped from the file.
    package func packed(_ shape: MatrixShape, _ scheme: Scheme) throws -> PackedMatrix {
        var parts: [String: PackedTensor] = [:]
        let prefix = shape.tensor + "."
        for name in tensors.entries.keys where name.hasPrefix(prefix) {
            parts[String(name.dropFirst(prefix.count))] = try tensors.packed(name)
        }
        guard !parts.isEmpty else { throw FileError(tensors.file, "has no tensor '\(shape.tensor)'") }
        return PackedMatrix(scheme: scheme, rows: shape.rows, columns: shape.columns, parts: parts)
    }

    /// The network over packed weights; with `decoded`, over dense copies of them: what measuring uses.
    package func network(decoded: Bool = false) throws -> Family.Net {
        try AvailableMemory.require(
            decoded ? family.layout.fullPrecisionBytes : sizeInBytes, for: tensors.file)
        var matrices: [String: any LinearOperator] = [:]
        let schemes: Assignment
        do { schemes = try plan.schemes(of: family.layout) } catch {
            throw FileError(configurationFile, "\(error)")
        }
        for (sublayer, scheme) in zip(family.layout.sublayers, schemes) {
            for shape in sublayer.matrices {
                let packed = try packed(shape, scheme)
                do {
                    matrices[shape.tensor] =
                        decoded ? try LinearOperators.measuring(packed) : try LinearOperators.make(packed)
                } catch {
                    throw FileError(tensors.file, "tensor '\(shape.tensor)': \(error)")
                }
            }
        }
        var vectors: [String: [Float]] = [:]
        for (name, count) in family.vectors { vectors[name] = try tensors.floats(name, shape: [count]) }
        return try family.network(WeightTable(matrices: matrices, vectors: vectors))
    }

    /// Writes a packed directory, matrix by matrix.
    ///
    /// - Throws: `PlanError` where the plan does not fit, `FileError` where weights cannot be encoded or
    ///   something else than a packed model lies there; nothing is left behind.
    package static func write(
        _ model: Model<Family>, _ plan: Plan, to directory: URL,
        packed: [String: PackedMatrix]
    ) throws {
        let schemes = try plan.schemes(of: model.layout)
        try checkReplaceable(directory)
        try AtomicWrite.directory(directory) { target in
            try writeConfiguration(model, plan, to: target)
            try copyCompanions(of: model, to: target)
            try writeTensors(model, schemes, to: target.appending(path: "model.safetensors"), packed)
        }
    }

    /// Refuses to write over anything but a packed model or an empty directory: a mistyped output must not
    /// cost a user's files.
    package static func checkReplaceable(_ directory: URL) throws(FileError) {
        guard FileManager.default.fileExists(atPath: directory.path) else { return }
        let content = try? FileManager.default.contentsOfDirectory(atPath: directory.path)
        if content == [] || (try? isPacked(directory)) == true { return }
        throw FileError(directory, "exists and is no packed model: it is not written over")
    }

    /// Copies the tokenizer's and the other files that the weights are useless without.
    package static func copyCompanions(of model: Model<Family>, to target: URL) throws {
        for name in Family.companionFiles {
            let source = model.directory.appending(path: name)
            guard FileManager.default.fileExists(atPath: source.path) else { continue }
            try AtomicWrite.file(try FileError.read(source), to: target.appending(path: name))
        }
    }

    private static func writeConfiguration(_ model: Model<Family>, _ plan: Plan, to target: URL) throws {
        var settings = try FileError.readObject(model.directory.appending(path: "config.json"))
        let planObject = try JSONSerialization.jsonObject(with: try JSONFile.data(plan))
        settings[configurationKey] = ["quant_method": method, "plan": planObject]
        let data = try JSONSerialization.data(
            withJSONObject: settings, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        try AtomicWrite.file(data + Data("\n".utf8), to: target.appending(path: "config.json"))
    }

    /// Parts are declared by the shapes alone.
    private static func writeTensors(
        _ model: Model<Family>, _ schemes: [Scheme], to file: URL,
        _ packed: [String: PackedMatrix]
    ) throws {
        var declarations: [SafetensorsWriter.Declaration] = []
        var parts: [String: PackedTensor] = [:]
        for (sublayer, scheme) in zip(model.layout.sublayers, schemes) {
            for shape in sublayer.matrices {
                for part in scheme.parts(rows: shape.rows, columns: shape.columns) {
                    let name = "\(shape.tensor).\(part.name)"
                    declarations.append(.init(name: name, type: part.type, shape: part.shape))
                    parts[name] = packed[shape.tensor]?.parts[part.name]
                }
            }
        }
        for (name, count) in model.family.vectors {
            declarations.append(.init(name: name, type: .float32, shape: [count]))
        }
        try SafetensorsWriter.write(
            declarations, metadata: ["format": "bitplan", layoutKey: "\(layoutVersion)"], to: file
        ) { declaration in
            if let part = parts[declaration.name] { return part.bytes }
            return try model.vector(declaration.name).withUnsafeBytes { Data($0) }
        }
    }
}
