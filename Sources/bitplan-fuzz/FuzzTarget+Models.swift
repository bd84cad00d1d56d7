import BitplanEncoding
import BitplanModels
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

extension FuzzTarget {
    /// Files of weights: all of their tensors are read.
    static let checkpoints: [FuzzTarget] = [
        FuzzTarget(name: "safetensors", file: "model.safetensors") { try readAll(SafetensorsCheckpoint($0)) },
        FuzzTarget(name: "pickle", file: "pytorch_model.bin") { try readAll(PyTorchCheckpoint($0)) },
        FuzzTarget(
            name: "shards", file: "model.safetensors.index.json",
            companions: [
                goldens + "tiny-bert/sharded/model-00001-of-00002.safetensors",
                goldens + "tiny-bert/sharded/model-00002-of-00002.safetensors",
            ]
        ) { try readAll(ShardedCheckpoint(index: $0)) },
        FuzzTarget(name: "marian-bin", file: "model.bin") { try readAll(MarianCheckpoint($0)) },
        FuzzTarget(name: "marian-npz", file: "model.npz") { try readAll(MarianCheckpoint($0)) },
        FuzzTarget(name: "shortlist", file: "lex.bin", repair: repairShortlist) {
            try Shortlist($0).check(source: 100, target: 100)
        },
    ]

    /// Settings of models and packed directories: the model is opened and answers a line.
    static let models: [FuzzTarget] = [
        FuzzTarget(
            name: "config-bert", file: "config.json",
            companions: ["model.safetensors", "tokenizer_config.json", "vocab.txt"]
                .map { goldens + "tiny-bert/" + $0 }
        ) { try answer(BertFamily.self, $0) },
        FuzzTarget(
            name: "config-llama", file: "config.json",
            companions: ["model.safetensors", "tokenizer.json", "tokenizer_config.json"]
                .map { goldens + "tiny-llama/" + $0 }
        ) { try answer(LlamaFamily.self, $0) },
        FuzzTarget(
            name: "config-marian", file: "config.json",
            companions: marianTokenizer + [made + "generation_config.json"]
        ) { _ = try MarianFamily(directory: $0.deletingLastPathComponent()).layout },
        FuzzTarget(
            name: "generation-config", file: "generation_config.json",
            companions: marianTokenizer + [made + "config.json"]
        ) { _ = try MarianFamily(directory: $0.deletingLastPathComponent()).layout },
        FuzzTarget(
            name: "marian-yml", file: "config.yml",
            companions: ["model.bin", "vocab.spm"].map { "Fixtures/marian-native/" + $0 }
        ) { file in
            // The network is the same whatever the file says: it answers once under settings that are equal.
            let directory = file.deletingLastPathComponent()
            let settings = try MarianNativeFamily(directory: directory).outline.generation
            if tried.insert("\(settings)").inserted { try answer(MarianNativeFamily.self, file) }
        },
        FuzzTarget(
            name: "packed-config", file: "config.json",
            companions: ["model.safetensors", "vocab.spm"].map { made + "packed/" + $0 }
        ) { try answer(MarianNativeFamily.self, $0) },
        FuzzTarget(
            name: "packed-tensors", file: "model.safetensors",
            companions: ["config.json", "vocab.spm"].map { made + "packed/" + $0 }
        ) { file in
            let directory = file.deletingLastPathComponent()
            let (family, plan) = try packed ?? readPacked(directory)
            packed = (family, plan)
            let model = try PackedModel(family, plan, directory)
            try answer(model.family, model.network())
        },
    ]

    /// Settings of decoding that a network has answered under.
    nonisolated(unsafe) private static var tried: Set<String> = []
    /// What lies beside packed tensors, which is read once.
    nonisolated(unsafe) private static var packed: (MarianNativeFamily, Plan)?

    private static func readPacked(_ directory: URL) throws -> (MarianNativeFamily, Plan) {
        let model = try PackedModel<MarianNativeFamily>(directory: directory)
        return (model.family, model.plan)
    }

    /// Files that tests compare with.
    static let goldens = "Tests/ModelsTests/Goldens/"
    /// Files that `Scripts/fuzz.py` makes before.
    static let made = ".build-fuzz/made/"
    private static let marianTokenizer = ["source.spm", "target.spm", "vocab.json", "tokenizer_config.json"]
        .map { made + "marian/" + $0 }

    private static func readAll(_ checkpoint: some Checkpoint) throws {
        for (name, shape) in checkpoint.shapes { _ = try? checkpoint.floats(name, shape: shape) }
    }

    private static func answer<Family: ModelFamily>(_ family: Family.Type, _ file: URL) throws {
        let model = try OpenedModel<Family>(file.deletingLastPathComponent())
        try answer(model.family, model.network)
    }

    private static func answer<Family: ModelFamily>(_ family: Family, _ network: Family.Net) throws {
        let options = TaskOptions(maximumLength: 4, threads: 1)
        _ = try family.task.run(network, lines: ["the sky", ""], options: options)
    }

    /// Writes the checksum that a shortlist's bytes have; how it is made stands at `Shortlist`.
    @Sendable private static func repairShortlist(_ bytes: inout [UInt8]) {
        guard bytes.count >= 48 else { return }
        func word(_ index: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(bytes[8 * index + $1]) << (8 * UInt64($1)) }
        }
        var hash: UInt64 = 0
        for index in 2..<bytes.count / 8 {
            hash ^= word(index) &+ 0x9E37_79B9 &+ (hash << 6) &+ (hash >> 2)
        }
        for place in 0..<8 { bytes[8 + place] = UInt8(truncatingIfNeeded: hash >> (8 * UInt64(place))) }
    }
}
