import BitplanModels
import BitplanTensors
import Foundation
import TestSupport
import Testing

@Suite struct CheckpointTests {
    static let goldens = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens")
    static let tiny = goldens.appending(path: "tiny-llama")

    /// A copy of the tiny model without its weights.
    private func directory(with weights: [URL]) throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            try FileManager.default.copyItem(
                at: Self.tiny.appending(path: name), to: directory.appending(path: name))
        }
        for file in weights {
            try FileManager.default.copyItem(at: file, to: directory.appending(path: file.lastPathComponent))
        }
        return directory
    }

    private func shards() throws -> [URL] {
        let folder = Self.tiny.appending(path: "sharded")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
    }

    @Test func formsOfOneModelHoldTheSameNumbers() throws {
        let whole = try Model<LlamaFamily>(directory: Self.tiny)
        let pickles = ["pickled", "legacy"].map { [Self.tiny.appending(path: "\($0)/pytorch_model.bin")] }
        for weights in [try shards()] + pickles {
            let directory = try directory(with: weights)
            defer { try? FileManager.default.removeItem(at: directory) }
            let model = try Model<LlamaFamily>(directory: directory)
            for shape in whole.layout.sublayers.flatMap(\.matrices) {
                #expect(try model.matrix(shape) == whole.matrix(shape), "\(shape.tensor)")
            }
            #expect(try model.vectors() == whole.vectors())
        }
    }

    @Test func aModelReadsItsWeightsFromItsNetworkToo() throws {
        let model = try Model<LlamaFamily>(directory: Self.tiny)
        let loaded = model.reading(from: try model.network())
        for shape in model.layout.sublayers.flatMap(\.matrices) {
            #expect(try loaded.matrix(shape) == model.matrix(shape), "\(shape.tensor)")
        }
        #expect(try loaded.vectors() == model.vectors())
        let error = #expect(throws: FileError.self) { try loaded.vector("absent") }
        #expect(error?.description.contains("has no tensor 'absent'") == true)
    }

    @Test func directoriesWithoutWeightsSaySo() throws {
        let directory = try directory(with: [])
        defer { try? FileManager.default.removeItem(at: directory) }
        let error = #expect(throws: FileError.self) { try Model<LlamaFamily>(directory: directory) }
        #expect(
            error?.description.contains("no weights: expected model.safetensors, pytorch_model.bin") == true)
    }

    @Test func hostileArchivesAreRefused() throws {
        let folder = Self.goldens.appending(path: "hostile")
        let cases = try JSONDecoder().decode(
            [String: String].self, from: Data(contentsOf: folder.appending(path: "cases.json")))
        #expect(cases.count > 50)
        for (name, expected) in cases.sorted(by: { $0.key < $1.key }) {
            let file = folder.appending(path: name + ".bin")
            if expected.isEmpty {
                #expect(try PyTorchCheckpoint(file).shapes == ["w": [2, 2]])
                continue
            }
            let error = #expect(throws: FileError.self, "\(name)") {
                _ = try PyTorchCheckpoint(file).floats("w", shape: [2, 2])
            }
            #expect(error?.description.contains(expected) == true, "\(name): \(error?.description ?? "")")
            #expect(error?.description.contains("\n") == false)
        }
        #expect(
            try PyTorchCheckpoint(folder.appending(path: "zip64.bin")).floats("w", shape: [2, 2]) == [
                1, 2, 3, 4,
            ])
        #expect(!FileManager.default.fileExists(atPath: "/tmp/bitplan-hostile-pickle-ran"))
    }

    /// Any byte of a good archive may be wrong: an error or other numbers, never a crash.
    @Test func damagedBytesNeverCrash() throws {
        let good = try Data(contentsOf: Self.tiny.appending(path: "pickled/pytorch_model.bin"))
        let file = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString).bin")
        defer { try? FileManager.default.removeItem(at: file) }
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededGenerator(seed: seed)
        let start = good.startIndex
        let end = try #require(good.range(of: Data("PK\u{1}\u{2}".utf8)))
        let pickle = try #require(good.range(of: Data("ccollections".utf8)))
        var refused = 0
        for _ in 0..<400 {
            var bad = good
            // In the pickle, which stands near the start, or in the directory at the end.
            for _ in 0..<1 + generator.index(below: 3) {
                let inPickle = generator.index(below: 2) == 0
                let place =
                    inPickle
                    ? pickle.lowerBound - start - 8 + generator.index(below: 3000)
                    : end.lowerBound - start + generator.index(below: good.count - (end.lowerBound - start))
                bad[start + place] = UInt8(generator.index(below: 256))
            }
            try bad.write(to: file)
            do throws(FileError) {
                let checkpoint = try PyTorchCheckpoint(file)
                for (name, shape) in checkpoint.shapes { _ = try? checkpoint.floats(name, shape: shape) }
            } catch {
                refused += 1
                #expect(!error.description.contains("\n"), "seed \(seed): \(error)")
            }
        }
        #expect(refused > 100, "seed \(seed)")
    }

    @Test func wrongShardsAreRefused() throws {
        let files = try shards()
        func error(_ change: (URL) throws -> Void) throws -> String {
            let directory = try directory(with: files)
            defer { try? FileManager.default.removeItem(at: directory) }
            try change(directory)
            return #expect(throws: FileError.self) { try Model<LlamaFamily>(directory: directory) }?
                .description ?? ""
        }
        func index(_ directory: URL, _ change: (inout [String: String]) -> Void) throws {
            let file = directory.appending(path: "model.safetensors.index.json")
            let json = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
            var map = try #require(json?["weight_map"] as? [String: String])
            change(&map)
            try JSONSerialization.data(withJSONObject: ["weight_map": map]).write(to: file)
        }
        let (first, second) = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
        let missing = try error { try FileManager.default.removeItem(at: $0.appending(path: second)) }
        #expect(missing.contains(second) && missing.contains("no such file"))
        let overlap = try error { directory in
            try FileManager.default.removeItem(at: directory.appending(path: second))
            try FileManager.default.copyItem(
                at: Self.tiny.appending(path: "model.safetensors"), to: directory.appending(path: second))
        }
        #expect(overlap.contains("lies in '\(second)', the index says '\(first)'"))
        let unnamed = try error { try index($0) { $0["model.norm.weight"] = nil } }
        #expect(unnamed.contains("'model.norm.weight' lies in '\(second)', the index does not name it"))
        let absent = try error { try index($0) { $0["model.nothing.weight"] = first } }
        #expect(absent.contains("'model.nothing.weight' is not in '\(first)'"))
        let outside = try error { try index($0) { $0["model.norm.weight"] = "../\(second)" } }
        #expect(outside.contains("expected the name of a file beside the index"))
        let empty = try error { try index($0) { $0 = [:] } }
        #expect(empty.contains("'weight_map'"))
        let truncated = try error { directory in
            let file = directory.appending(path: second)
            try Data(contentsOf: file).dropLast(100).write(to: file)
        }
        #expect(truncated.contains(second) && truncated.contains("outside"))
    }
}
