import BitplanTensors
import Foundation
import PlanFormat

/// Element types of PyTorch storages, by their classes.
enum TorchElement: String {
    case float = "FloatStorage"
    case half = "HalfStorage"
    case bfloat16 = "BFloat16Storage"
    case double = "DoubleStorage"
    case long = "LongStorage"
    case int = "IntStorage"
    case short = "ShortStorage"
    case char = "CharStorage"
    case byte = "ByteStorage"
    case bool = "BoolStorage"

    /// The type that `torch.<class>` stores.
    init?(storageClass: String) {
        guard storageClass.hasPrefix("torch.") else { return nil }
        self.init(rawValue: String(storageClass.dropFirst("torch.".count)))
    }

    var sizeInBytes: Int {
        switch self {
        case .double, .long: 8
        case .float, .int: 4
        case .half, .bfloat16, .short: 2
        case .char, .byte, .bool: 1
        }
    }

    /// The same type in a safetensors file, for those that weights are read from.
    var floating: ElementType? {
        switch self {
        case .float: .float32
        case .half: .float16
        case .bfloat16: .bfloat16
        default: nil
        }
    }
}

/// A checkpoint in a `pytorch_model.bin`: storages and the pickle of a state dict, in a ZIP archive or,
/// before PyTorch 1.6, one after the other.
///
/// The pickle is read by `StateDictPickle`, which runs nothing. Tensors that share a storage share it here
/// too.
package struct PyTorchCheckpoint: Checkpoint {
    /// The file, for errors.
    package let file: URL
    private let data: Data
    private let tensors: [String: StateDictPickle.Tensor]
    /// Where the storages lie, by their keys.
    private let storages: [String: Range<Int>]

    /// Opens the file and checks every tensor against its storage; no numbers are read yet.
    ///
    /// - Throws: `FileError` where the file or its pickle is damaged, holds anything but a state dict, or
    ///   storages are missing or of another size than the pickle says.
    package init(_ file: URL) throws(FileError) {
        let data = try FileError.read(file)
        let parts =
            try LegacyTorchFile.isLegacy(data)
            ? LegacyTorchFile.read(data, file) : TorchArchive.read(data, file)
        for (name, tensor) in parts.tensors.sorted(by: { $0.key < $1.key }) {
            let storage = tensor.storage
            guard let stored = parts.storages[storage.key] else {
                throw FileError(file, "tensor '\(name)': storage '\(storage.key)' is missing")
            }
            let (bytes, overflow) = storage.count.multipliedReportingOverflow(by: storage.type.sizeInBytes)
            guard !overflow, bytes == stored.count else {
                throw FileError(
                    file,
                    "tensor '\(name)': storage '\(storage.key)' has \(stored.count) bytes, expected \(storage.count) numbers of \(storage.type.sizeInBytes)"
                )
            }
        }
        self.file = file
        self.data = data
        tensors = parts.tensors
        shapes = tensors.mapValues(\.shape)
        storages = parts.storages
    }

    /// Names and shapes of all tensors.
    package let shapes: [String: [Int]]

    /// Numbers of a tensor, widened to FP32.
    package func floats(_ name: String, shape: [Int]) throws(FileError) -> [Float] {
        guard let tensor = tensors[name], let range = storages[tensor.storage.key] else {
            throw FileError(file, "has no tensor '\(name)'")
        }
        guard tensor.shape == shape else {
            throw FileError(file, "tensor '\(name)': expected shape \(shape), got \(tensor.shape)")
        }
        guard let type = tensor.storage.type.floating else {
            throw FileError(
                file, "tensor '\(name)': expected float, half or bfloat16, got \(tensor.storage.type)")
        }
        let numbers = PyTorchCheckpoint.numbers(tensor, type, data[range])
        if let index = numbers.firstIndex(where: { !$0.isFinite }) {
            throw FileError(file, "tensor '\(name)': \(numbers[index]) at element \(index)")
        }
        return numbers
    }

    /// The elements in order of their indices.
    private static func numbers(_ tensor: StateDictPickle.Tensor, _ type: ElementType, _ storage: Data)
        -> [Float]
    {
        if tensor.isContiguous {
            let start = storage.startIndex + tensor.offset * type.sizeInBytes
            return type.widen(storage[start..<start + tensor.count * type.sizeInBytes]) ?? []
        }
        let all = type.widen(storage) ?? []
        var index = [Int](repeating: 0, count: tensor.shape.count)
        var place = tensor.offset
        return (0..<tensor.count).map { _ in
            defer {
                var axis = index.count - 1
                while axis >= 0 {
                    index[axis] += 1
                    place += tensor.strides[axis]
                    if index[axis] < tensor.shape[axis] { break }
                    place -= index[axis] * tensor.strides[axis]
                    index[axis] = 0
                    axis -= 1
                }
            }
            return all[place]
        }
    }
}
