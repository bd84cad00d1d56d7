import BitplanTensors
import Foundation

/// The weights of a model in one of Marian's own files, `*.bin` or `*.npz`.
///
/// Marian multiplies activations with matrices of (in, out); here they are (out, in), as everywhere in
/// bitplan. Embeddings are (tokens, width) in both. Multipliers of integer activations (`*_QuantMultA`) play
/// no part: activations are floats here.
package struct MarianCheckpoint: Checkpoint {
    /// The file.
    package let file: URL
    /// The network's settings, as the file has them: the text of `special:model.yml`.
    let settings: String
    private let data: Data
    private let tensors: [String: MarianTensor]
    /// Whether matrices of integers lie turned in the file, whatever the header says.
    private let isBinary: Bool

    private static let settingsName = "special:model.yml"

    /// Opens the file and checks what lies where; no numbers are read yet.
    ///
    /// - Throws: `FileError` for what `MarianBinary` and `MarianArchive` refuse, and where there are no
    ///   settings in the file.
    package init(_ file: URL) throws(FileError) {
        let data = try FileError.read(file)
        isBinary = !data.starts(with: MarianFiles.archiveStart)
        let all = try isBinary ? MarianBinary.tensors(data, file) : MarianArchive.tensors(data, file)
        guard let text = all[Self.settingsName], text.element == .int8 else {
            throw FileError(file, "has no '\(Self.settingsName)', which describes the network")
        }
        let start = data.startIndex + text.start
        guard
            let settings = String(
                validating: data[start..<start + text.count].prefix { $0 != 0 }, as: UTF8.self)
        else { throw FileError(file, "'\(Self.settingsName)' is not UTF-8") }
        self.file = file
        self.data = data
        self.settings = settings
        tensors = all.filter { $0.key != Self.settingsName && !$0.key.hasSuffix("_QuantMultA") }
        shapes = Dictionary(
            uniqueKeysWithValues: tensors.map { name, tensor in
                (name, Self.isTurned(name, tensor) ? tensor.shape.reversed() : tensor.shape)
            })
    }

    /// Opens the file, or the one model of a directory.
    ///
    /// - Throws: as `init(_:)`, and where a directory has not one model.
    init(at place: URL) throws(FileError) {
        try self.init(
            MarianFiles.isFile(place) ? place : try MarianFiles(directory: place).weights())
    }

    /// The settings as a packed model's config.json has them: those of the network, and the family's name.
    func modelSettings() throws(FileError) -> Settings {
        var object = try FlatYAML.settings(settings, file).object
        object["model_type"] = MarianNativeFamily.modelType
        return Settings(file: file, object: object)
    }

    /// Names and shapes of all weights, matrices as (out, in).
    package let shapes: [String: [Int]]

    /// Bytes of the file where a weight of it is an integer.
    package var integerFileBytes: Int? {
        tensors.values.contains { $0.element.trailingBytes > 0 } ? data.count : nil
    }

    /// Numbers of a tensor, widened to FP32.
    package func floats(_ name: String, shape: [Int]) throws(FileError) -> [Float] {
        guard let tensor = tensors[name] else { throw FileError(file, "has no tensor '\(name)'") }
        let turned = Self.isTurned(name, tensor)
        let own = turned ? tensor.shape.reversed() : tensor.shape
        guard own == shape else {
            throw FileError(file, "tensor '\(name)': expected shape \(shape), got \(own)")
        }
        guard var numbers = tensor.numbers(data) else {
            throw FileError(file, "tensor '\(name)': expected floats or intgemm's integers")
        }
        if let index = numbers.firstIndex(where: { !$0.isFinite }) {
            throw FileError(file, "tensor '\(name)': \(numbers[index]) at element \(index)")
        }
        // One without numbers may claim any height, and has nothing to turn.
        guard tensor.shape.count == 2, !numbers.isEmpty else { return numbers }
        // Integers of all matrices but those called Wemb lie turned, so that a matrix is (out, in) already.
        let liesTurned = isBinary && tensor.element.trailingBytes > 0 && !name.contains("Wemb")
        if turned != liesTurned {
            let rows = liesTurned ? tensor.shape[1] : tensor.shape[0]
            numbers =
                Matrix(rows: rows, columns: tensor.count / max(1, rows), storage: numbers)
                .transposed().storage
        }
        return numbers
    }

    /// Whether a tensor is a matrix of (in, out): its name's last part is `W` and a letter, `Wemb` and the
    /// output's `Wt` apart.
    private static func isTurned(_ name: String, _ tensor: MarianTensor) -> Bool {
        guard tensor.shape.count == 2, let last = name.split(separator: "_").last else { return false }
        return last.hasPrefix("W") && last != "Wemb" && last != "Wt"
    }
}
