import BitplanTensors
import Foundation

/// A checkpoint in several files, with an index that says which tensor lies where.
package struct ShardedCheckpoint: Checkpoint {
    /// The index.
    package let file: URL
    /// Names and shapes of all tensors.
    package let shapes: [String: [Int]]
    private let shards: [String: any Checkpoint]
    private let places: [String: String]

    /// Reads an index (`model.safetensors.index.json`, `pytorch_model.bin.index.json`) and opens its shards,
    /// which lie beside it.
    ///
    /// - Throws: `FileError` where the index is wrong, a shard is missing or lies elsewhere, a tensor is not
    ///   in its shard, in two shards, or in none that the index names.
    package init(index file: URL) throws(FileError) {
        let index = try FileError.readObject(file)
        guard let places = index["weight_map"] as? [String: String], !places.isEmpty else {
            throw FileError(file, "'weight_map': expected an object of file names by tensor")
        }
        var shards: [String: any Checkpoint] = [:]
        var shapes: [String: [Int]] = [:]
        for name in Set(places.values).sorted() {
            guard !name.isEmpty, !name.contains("/"), name != "..", name != "." else {
                throw FileError(file, "shard '\(name)': expected the name of a file beside the index")
            }
            let shard = try openShard(file.deletingLastPathComponent().appending(path: name))
            for (tensor, shape) in shard.shapes.sorted(by: { $0.key < $1.key }) {
                guard let place = places[tensor] else {
                    throw FileError(file, "tensor '\(tensor)' lies in '\(name)', the index does not name it")
                }
                guard place == name else {
                    throw FileError(file, "tensor '\(tensor)' lies in '\(name)', the index says '\(place)'")
                }
                shapes[tensor] = shape
            }
            shards[name] = shard
        }
        for (tensor, place) in places.sorted(by: { $0.key < $1.key }) where shapes[tensor] == nil {
            throw FileError(file, "tensor '\(tensor)' is not in '\(place)'")
        }
        self.file = file
        self.shapes = shapes
        self.shards = shards
        self.places = places
    }

    /// Numbers of a tensor, widened to FP32.
    package func floats(_ name: String, shape: [Int]) throws(FileError) -> [Float] {
        guard let place = places[name], let shard = shards[place] else {
            throw FileError(file, "has no tensor '\(name)'")
        }
        return try shard.floats(name, shape: shape)
    }
}

private func openShard(_ file: URL) throws(FileError) -> any Checkpoint {
    file.pathExtension == "bin" ? try PyTorchCheckpoint(file) : try SafetensorsCheckpoint(file)
}
