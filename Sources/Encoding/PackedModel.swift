import BitplanKernels
import BitplanModels
import BitplanQuantizers
import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// A packed model directory: config.json with the plan inside, the packed tensors, the tokenizer's files.
package struct PackedModel<Family: ModelFamily>: Sendable {
    /// Configuration and tokenizer.
    package let family: Family
    /// The plan that the weights were packed by.
    package let plan: Plan
    /// The sublayers, and the vectors that the file stores.
    package let layout: ModelLayout
    /// What every tensor became.
    package let schemes: TensorSchemes
    /// Where the parts lie.
    package let file: PackedFile
    /// The vectors that the file does not store.
    package let constants: ConstantVectors
    private let tensors: Safetensors

    /// Where config.json keeps the plan: `quantization_config.plan`, as quantized models do on Hugging Face.
    static var configurationKey: String { "quantization_config" }
    static var method: String { "bitplan" }

    /// Opens a packed directory; no weights are copied.
    ///
    /// - Parameter languages: what the model translates between; its own languages where nil.
    /// - Throws: one-line errors for missing files, a plan that does not fit the configuration, missing
    ///   tensors or wrong shapes.
    package init(directory: URL, languages: TranslationLanguages? = nil) throws {
        let file = directory.appending(path: "config.json")
        let family = try Family(directory: directory, languages)
        returnFreedMemory()
        let settings = try FileError.readObject(file)
        guard let quantization = settings[Self.configurationKey] as? [String: Any],
            quantization["quant_method"] as? String == Self.method, let plan = quantization["plan"]
        else { throw FileError(file, "has no plan: expected a packed model") }
        let data = try JSONSerialization.data(withJSONObject: plan)
        try self.init(family, try JSONFile.decode(Plan.self, from: data, file: file), directory)
    }

    /// Opens the tensors of a packed directory whose configuration and plan have been read; errors as
    /// `init(directory:languages:)`.
    package init(_ family: Family, _ plan: Plan, _ directory: URL) throws {
        let file = directory.appending(path: "config.json")
        self.family = family
        self.plan = plan
        tensors = try Safetensors(directory.appending(path: "model.safetensors"))
        constants = try Self.checkLayout(tensors, vectors: family.vectors.map(\.name))
        layout = family.layout.packed(vectors: family.vectors, constants: constants)
        do { schemes = try self.plan.tensorSchemes(of: layout) } catch { throw FileError(file, "\(error)") }
        self.file = PackedFile(family.layout, vectors: family.vectors, schemes, constants)
        try self.file.check(tensors)
    }

    /// The version of the form that packed tensors have: names, types, shapes and order of the bytes. Add 1
    /// when any of them changes.
    package static var layoutVersion: Int { 2 }
    static var layoutKey: String { "layout_version" }
    private static var constantsKey: String { "constants" }

    /// Refuses tensors in a form that this program does not read; gives the vectors that are not stored.
    private static func checkLayout(
        _ tensors: Safetensors, vectors: [String]
    ) throws(FileError) -> ConstantVectors {
        try checkLayoutVersion(tensors)
        guard let constants = ConstantVectors(text: tensors.metadata[constantsKey] ?? "") else {
            throw FileError(tensors.file, "'\(constantsKey)': expected names and numbers")
        }
        for name in constants.values.keys.sorted() where !vectors.contains(name) {
            throw FileError(tensors.file, "'\(constantsKey)': the model has no vector '\(name)'")
        }
        return constants
    }

    /// Refuses tensors whose parts have another form than this program's.
    static func checkLayoutVersion(_ tensors: Safetensors) throws(FileError) {
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
        let settings = try modelSettings(of: directory).object
        return (settings[configurationKey] as? [String: Any])?["quant_method"] as? String == method
    }

    /// Bytes of the file of tensors, its header included: the plan's bytes.
    package var sizeInBytes: Int {
        tensors.entries.values.reduce(constants.headerBytes) { $0 + $1.range.count }
    }

    /// A packed matrix, mapped from the file.
    package func packed(_ shape: MatrixShape) throws -> PackedMatrix {
        let scheme = schemes[shape.tensor]
        var parts: [String: PackedTensor] = [:]
        for part in scheme.parts(rows: shape.rows, columns: shape.columns) {
            parts[part.name] = try file.tensor("\(shape.tensor).\(part.name)", in: tensors)
        }
        return PackedMatrix(scheme: scheme, rows: shape.rows, columns: shape.columns, parts: parts)
    }

    /// The vectors, widened to FP32.
    package func vectors() throws -> [String: [Float]] {
        var vectors: [String: [Float]] = [:]
        for (name, count) in family.vectors {
            vectors[name] =
                try file.tensor(name, in: tensors)?.floats
                ?? [Float](repeating: constants.values[name] ?? 0, count: count)
            if let index = vectors[name]?.firstIndex(where: { !$0.isFinite }) {
                throw FileError(tensors.file, "vector '\(name)': no finite number at element \(index)")
            }
        }
        return vectors
    }

    /// The network over packed weights; with `decoded`, over dense copies of them: what measuring uses.
    package func network(decoded: Bool = false) throws -> Family.Net {
        try AvailableMemory.require(
            decoded ? family.layout.fullPrecisionBytes : sizeInBytes, for: tensors.file)
        var matrices: [String: any LinearOperator] = [:]
        for shape in family.layout.sublayers.flatMap(\.matrices) {
            let packed = try packed(shape)
            do {
                matrices[shape.tensor] =
                    decoded ? try LinearOperators.measuring(packed) : try LinearOperators.make(packed)
            } catch {
                throw FileError(tensors.file, "tensor '\(shape.tensor)': \(error)")
            }
        }
        return try family.network(WeightTable(matrices: matrices, vectors: try vectors()))
    }

    /// Writes a packed directory, matrix by matrix.
    ///
    /// - Throws: `PlanError` where the plan does not fit, `FileError` where weights cannot be encoded or
    ///   something else than a packed model lies there; nothing is left behind.
    package static func write(
        _ model: Model<Family>, _ plan: Plan, to directory: URL,
        packed: [String: PackedMatrix]
    ) throws {
        let schemes = try plan.tensorSchemes(of: model.layout)
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

    /// Copies the tokenizer's and the other files that the weights are useless without, and adds to the
    /// tokenizer's settings what was chosen.
    package static func copyCompanions(of model: Model<Family>, to target: URL) throws {
        for name in model.family.companionFiles {
            let source = model.directory.appending(path: name)
            guard FileManager.default.fileExists(atPath: source.path) else { continue }
            try AtomicWrite.file(try FileError.read(source), to: target.appending(path: name))
        }
        let chosen = model.family.chosenSettings
        guard !chosen.isEmpty else { return }
        let file = model.directory.appending(path: "tokenizer_config.json")
        let settings =
            FileManager.default.fileExists(atPath: file.path) ? try FileError.readObject(file) : [:]
        try writeSettings(
            settings.merging(chosen) { $1 }, to: target.appending(path: file.lastPathComponent))
    }

    private static func writeSettings(_ settings: [String: Any], to file: URL) throws {
        let data = try JSONSerialization.data(
            withJSONObject: settings, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        try AtomicWrite.file(data + Data("\n".utf8), to: file)
    }

    private static func writeConfiguration(_ model: Model<Family>, _ plan: Plan, to target: URL) throws {
        var settings = try modelSettings(of: model.place).object
        let planObject = try JSONSerialization.jsonObject(with: try JSONFile.data(plan))
        settings[configurationKey] = ["quant_method": method, "plan": planObject]
        try writeSettings(settings, to: target.appending(path: "config.json"))
    }

    private static func writeTensors(
        _ model: Model<Family>, _ schemes: TensorSchemes, to url: URL, _ packed: [String: PackedMatrix]
    ) throws {
        var parts: [String: PackedTensor] = [:]
        for (tensor, matrix) in packed {
            for (name, part) in matrix.parts { parts["\(tensor).\(name)"] = part }
        }
        var metadata = ["format": "bitplan", layoutKey: "\(layoutVersion)"]
        if !model.constants.values.isEmpty { metadata[constantsKey] = model.constants.text }
        let file = PackedFile(model.layout, vectors: model.family.vectors, schemes, model.constants)
        try file.write(to: url, metadata: metadata, headerBytes: model.constants.headerBytes) { part in
            if let packed = parts[part.name] { return packed.bytes }
            let numbers = try model.storedVector(part.name, as: schemes.vectors)
            return PackedTensor(shape: part.shape, floats: numbers, as: schemes.vectors).bytes
        }
    }
}

extension Model {
    /// A vector as a packed model has it: numbers of `type`, the nearest finite ones.
    func storedVector(_ name: String, as type: Scheme.FloatType) throws(FileError) -> [Float] {
        let numbers = try vector(name)
        return type == .fp32 ? numbers : numbers.map { HalfPrecision.widen(HalfPrecision.finite($0)) }
    }

    /// The vectors that change when they are stored as `type`; those that are not stored do not.
    package func storedVectors(as type: Scheme.FloatType) throws(FileError) -> [String: [Float]] {
        var vectors: [String: [Float]] = [:]
        for (name, _) in family.vectors where constants.values[name] == nil {
            vectors[name] = try storedVector(name, as: type)
        }
        return vectors
    }
}
