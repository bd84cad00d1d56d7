import BitplanKernels
import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// A model directory, opened: its family, its checkpoint, and the names that its tensors have there.
package struct Model<Family: ModelFamily>: Sendable {
    /// What was opened: the directory, or one of the files of weights in it.
    package let place: URL
    /// The directory.
    package let directory: URL
    /// Configuration and tokenizer.
    package let family: Family
    /// The weights as stored.
    package let checkpoint: any Checkpoint
    /// The sublayers, and the vectors that a packed file stores.
    package let layout: ModelLayout
    /// The vectors that it does not store.
    package let constants: ConstantVectors
    private let storedNames: [String: String]

    /// Opens a model directory, or one of Marian's files of weights in it, and checks that every tensor is
    /// there in its shape; of the weights, only the vectors are read.
    ///
    /// - Parameter languages: what the model translates between; its own languages where nil.
    /// - Throws: one-line errors for a missing file, an unsupported configuration, a missing tensor, a wrong
    ///   shape, or a vector with a NaN or an infinity.
    package init(directory place: URL, languages: TranslationLanguages? = nil) throws {
        self.place = place
        directory = MarianFiles.directory(of: place)
        let family = try Family(directory: place, languages)
        let checkpoint = try openCheckpoint(place)
        var names: [String: String] = [:]
        let shapes = checkpoint.shapes
        func find(_ tensor: String, _ expected: [Int], fits: ([Int]) -> Bool) throws(FileError) {
            guard let stored = ([tensor] + family.aliases(of: tensor)).first(where: { shapes[$0] != nil }),
                let shape = shapes[stored]
            else { throw FileError(checkpoint.file, "has no tensor '\(tensor)'") }
            guard fits(shape) else {
                throw FileError(
                    checkpoint.file, "tensor '\(stored)': expected shape \(expected), got \(shape)")
            }
            names[tensor] = stored
        }
        for matrix in family.layout.sublayers.flatMap(\.matrices) {
            try find(matrix.tensor, [matrix.rows, matrix.columns]) { $0 == [matrix.rows, matrix.columns] }
        }
        // A small table may be kept as a vector: its rows one after the other.
        for vector in family.vectors {
            try find(vector.name, [vector.count]) { $0.reduce(1, *) == vector.count }
        }
        self.family = family
        self.checkpoint = checkpoint
        storedNames = names
        var constants: [String: Float] = [:]
        for vector in family.vectors {
            let numbers = try Self.vector(vector.name, names, checkpoint)
            if let first = numbers.first, numbers.allSatisfy({ $0 == first }) {
                constants[vector.name] = first
            }
        }
        self.constants = ConstantVectors(constants)
        layout = family.layout.packed(vectors: family.vectors, constants: self.constants)
    }

    /// The same model with its weights read from `network`, which has them in full precision: what the
    /// checkpoint holds is let go.
    package func reading(from network: Family.Net) -> Model {
        Model(self, LoadedCheckpoint(file: checkpoint.file, weights: network.weights))
    }

    /// The model with its weights read from another checkpoint, which has them under their own names.
    private init(_ model: Model, _ checkpoint: any Checkpoint) {
        place = model.place
        directory = model.directory
        family = model.family
        layout = model.layout
        constants = model.constants
        self.checkpoint = checkpoint
        storedNames = [:]
    }

    /// Reads one matrix.
    ///
    /// - Throws: `FileError` where it holds a NaN or an infinity.
    package func matrix(_ shape: MatrixShape) throws(FileError) -> Matrix {
        let numbers = try checkpoint.floats(
            storedNames[shape.tensor] ?? shape.tensor, shape: [shape.rows, shape.columns])
        return Matrix(rows: shape.rows, columns: shape.columns, storage: numbers)
    }

    /// Reads one of the vectors.
    ///
    /// - Throws: `FileError` where it holds a NaN or an infinity.
    package func vector(_ name: String) throws(FileError) -> [Float] {
        try Self.vector(name, storedNames, checkpoint)
    }

    private static func vector(
        _ name: String, _ storedNames: [String: String], _ checkpoint: any Checkpoint
    ) throws(FileError) -> [Float] {
        let stored = storedNames[name] ?? name
        return try checkpoint.floats(stored, shape: checkpoint.shapes[stored] ?? [])
    }

    /// Reads all vectors.
    package func vectors() throws(FileError) -> [String: [Float]] {
        var vectors: [String: [Float]] = [:]
        for (name, _) in family.vectors { vectors[name] = try vector(name) }
        return vectors
    }

    /// The network in full precision; `FileError` where its weights as FP32 are more than this process may
    /// still have.
    package func network() throws -> Family.Net {
        try AvailableMemory.require(layout.fullPrecisionBytes, for: checkpoint.file)
        var matrices: [String: any LinearOperator] = [:]
        for shape in layout.sublayers.flatMap(\.matrices) {
            matrices[shape.tensor] = DenseMatrix(try matrix(shape))
        }
        return try family.network(WeightTable(matrices: matrices, vectors: try vectors()))
    }
}

/// Opens the weights of a model directory: one file or shards, safetensors before `pytorch_model.bin`; or
/// those in one of Marian's own files.
///
/// - Throws: `FileError` where there are none in a form that bitplan reads.
func openCheckpoint(_ directory: URL) throws(FileError) -> any Checkpoint {
    if MarianFiles.mayHoldModel(directory) { return try MarianCheckpoint(at: directory) }
    func existing(_ name: String) -> URL? {
        let file = directory.appending(path: name)
        return FileManager.default.fileExists(atPath: file.path) ? file : nil
    }
    if let file = existing("model.safetensors") { return try SafetensorsCheckpoint(file) }
    if let index = existing("model.safetensors.index.json") { return try ShardedCheckpoint(index: index) }
    if let file = existing("pytorch_model.bin") { return try PyTorchCheckpoint(file) }
    if let index = existing("pytorch_model.bin.index.json") { return try ShardedCheckpoint(index: index) }
    throw FileError(
        directory, "no weights: expected model.safetensors, pytorch_model.bin or the index of their shards")
}

/// The settings of a model directory: config.json, or what one of Marian's files says in its place.
///
/// - Throws: `FileError` where there are none.
package func modelSettings(of place: URL) throws(FileError) -> Settings {
    if MarianFiles.mayHoldModel(place) { return try MarianCheckpoint(at: place).modelSettings() }
    guard !MarianFiles.isFile(place) else {
        throw FileError(place, "expected a model directory, or one of Marian's *.bin and *.npz")
    }
    return try Settings(place.appending(path: "config.json"))
}

/// `model_type` of a model directory.
///
/// - Throws: `FileError` where its settings are missing, are no JSON object, or name no type.
package func modelType(of place: URL) throws(FileError) -> String {
    // The error of a damaged file is the family's to throw.
    if MarianFiles.mayHoldModel(place) { return MarianNativeFamily.modelType }
    return try modelSettings(of: place).text("model_type")
}
