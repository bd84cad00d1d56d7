import Foundation
import TestSupport
import Testing

/// A model with one thing wrong.
struct BadModel: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// The file that the error names.
    let file: String
    /// What the error says.
    let problem: String
    let damage: @Sendable (ModelCopy) throws -> Void

    init(
        _ name: String, _ file: String, _ problem: String,
        _ damage: @escaping @Sendable (ModelCopy) throws -> Void
    ) {
        testDescription = name
        self.file = file
        self.problem = problem
        self.damage = damage
    }

    /// A model with another setting.
    static func setting(
        _ key: String, _ value: any Sendable, _ problem: String, in file: String = "config.json"
    ) -> BadModel {
        BadModel("\(key) \(value)", file, problem) { try $0.edit(file, [key: value]) }
    }

    static let missing = [
        BadModel("no configuration", "config.json", "no such file") { try $0.remove("config.json") },
        BadModel("no weights", "model", "no weights") { try $0.remove("model.safetensors") },
        BadModel("no source tokenizer", "source.spm", "no such file") { try $0.remove("source.spm") },
        BadModel("no vocabulary", "vocab.json", "no such file") { try $0.remove("vocab.json") },
    ]

    static let files = [
        BadModel("truncated weights", "model.safetensors", "point outside") {
            try $0.replace("model.safetensors", try $0.read("model.safetensors").dropLast(100))
        },
        BadModel("truncated header", "model.safetensors", "truncated") {
            try $0.replace("model.safetensors", try $0.read("model.safetensors").prefix(500))
        },
        BadModel("four bytes", "model.safetensors", "truncated") {
            try $0.replace("model.safetensors", Data([1, 2, 3, 4]))
        },
        BadModel("empty weights", "model.safetensors", "truncated") {
            try $0.replace("model.safetensors", Data())
        },
        BadModel("header of 2^63 bytes", "model.safetensors", "truncated") {
            try $0.replace("model.safetensors", Data([0, 0, 0, 0, 0, 0, 0, 0x80, 1]))
        },
        BadModel("header that is no JSON", "model.safetensors", "header is not a JSON object") {
            var data = try $0.read("model.safetensors")
            data[9] = 0x7B
            try $0.replace("model.safetensors", data)
        },
        BadModel("weights that are a directory", "model.safetensors", "got a directory") {
            try $0.remove("model.safetensors")
            try FileManager.default.createDirectory(
                at: $0.directory.appending(path: "model.safetensors"), withIntermediateDirectories: true)
        },
        BadModel("configuration that is no JSON", "config.json", "is not JSON") {
            try $0.replace("config.json", Data("{\"model_type\": ".utf8))
        },
        BadModel("configuration that is a list", "config.json", "expected a JSON object") {
            try $0.replace("config.json", Data("[1, 2]".utf8))
        },
    ]

    static let settings = [
        setting("d_model", "128", "'d_model': expected an integer, got 128"),
        setting("d_model", 128.5, "'d_model': expected an integer, got 128.5"),
        setting("d_model", 0, "'d_model': expected a size"),
        setting("d_model", -128, "'d_model': expected a size"),
        setting("d_model", 1e300, "'d_model'"),
        setting("encoder_layers", true, "'encoder_layers': expected an integer"),
        setting("scale_embedding", 1, "'scale_embedding': expected true or false, got 1"),
        setting("model_type", "bort", "model_type 'bort' is not supported"),
        setting("model_type", 7, "'model_type': expected a string"),
        setting("normalize_before", true, "'normalize_before': true is not supported"),
        setting("static_position_embeddings", false, "'static_position_embeddings': false is not supported"),
        setting("activation_function", "mish", "'mish' is not supported"),
        setting("encoder_attention_heads", 3, "d_model 128 is not a multiple of encoder_attention_heads 3"),
        setting("decoder_attention_heads", 5, "d_model 128 is not a multiple of decoder_attention_heads 5"),
        setting("vocab_size", 100, "decoder_vocab_size 4001 differs from vocab_size 100"),
        setting("do_sample", true, "'do_sample': true is not supported", in: "generation_config.json"),
        setting("bad_words_ids", [[1, 2]], "only single tokens", in: "generation_config.json"),
        setting("bad_words_ids", [[4001]], "outside the vocabulary", in: "generation_config.json"),
        setting("decoder_start_token_id", -1, "outside the vocabulary", in: "generation_config.json"),
        setting("repetition_penalty", 1.2, "'repetition_penalty'", in: "generation_config.json"),
        setting("max_length", "512", "'max_length': expected an integer", in: "generation_config.json"),
    ]

    private static let norm = "model.encoder.layers.0.final_layer_norm.weight"
    private static let ones = [Float](repeating: 1, count: 128)

    static let tensors = [
        BadModel("a tensor missing", "model.safetensors", "has no tensor '\(norm)'") {
            try $0.editTensor(norm) { _, _ in nil }
        },
        BadModel("a tensor of wrong length", "model.safetensors", "expected shape [128], got [127]") {
            try $0.setTensor(norm, type: "F32", shape: [127], Array(ones.dropLast()))
        },
        BadModel("a matrix turned around", "model.safetensors", "expected shape [512, 128], got [128, 512]") {
            try $0.editTensor("model.encoder.layers.0.fc1.weight") { entry, _ in
                entry.merging(["shape": [128, 512]]) { $1 }
            }
        },
        BadModel("integers", "model.safetensors", "'\(norm)': expected F32, F16 or BF16, got I64") {
            try $0.setTensor(norm, type: "I64", shape: [128], [Int64](repeating: 1, count: 128))
        },
        BadModel("an unknown element type", "model.safetensors", "element type F8_E4M3 is not supported") {
            try $0.editTensor(norm) { entry, _ in entry.merging(["dtype": "F8_E4M3"]) { $1 } }
        },
        BadModel("no element type", "model.safetensors", "expected dtype, shape and data_offsets") {
            try $0.editTensor(norm) { entry, _ in entry.filter { $0.key != "dtype" } }
        },
        BadModel("overlapping tensors", "model.safetensors", "overlaps another") {
            try $0.editTensor(norm) { entry, _ in entry.merging(["data_offsets": [2, 258]]) { $1 } }
        },
        BadModel("offsets outside the file", "model.safetensors", "point outside") {
            try $0.editTensor(norm) { entry, end in entry.merging(["data_offsets": [end, end + 256]]) { $1 } }
        },
        BadModel("negative offsets", "model.safetensors", "point outside") {
            try $0.editTensor(norm) { entry, _ in entry.merging(["data_offsets": [-256, 0]]) { $1 } }
        },
        BadModel("offsets turned around", "model.safetensors", "point outside") {
            try $0.editTensor(norm) { entry, _ in entry.merging(["data_offsets": [256, 0]]) { $1 } }
        },
        BadModel(
            "bytes that do not fill the shape", "model.safetensors", "needs 256 bytes, its offsets span 254"
        ) {
            try $0.editTensor(norm, appending: Data(count: 254)) { entry, end in
                entry.merging(["data_offsets": [end, end + 254]]) { $1 }
            }
        },
        BadModel("negative shape", "model.safetensors", "negative size in [-128]") {
            try $0.editTensor(norm) { entry, _ in entry.merging(["shape": [-128]]) { $1 } }
        },
        BadModel("shape beyond all numbers", "model.safetensors", "is too large") {
            try $0.editTensor(norm) { entry, _ in entry.merging(["shape": [1 << 40, 1 << 40]]) { $1 } }
        },
        BadModel("no elements, but a shape beyond all numbers", "model.safetensors", "is too large") {
            try $0.editTensor(norm) { entry, end in
                entry.merging(["shape": [1 << 40, 1 << 40, 0], "data_offsets": [end, end]]) { $1 }
            }
        },
        BadModel("NaN as F32", "model.safetensors", "'\(norm)': nan at element 5") {
            try $0.setTensor(norm, type: "F32", shape: [128], ones.enumerated().map { $0 == 5 ? .nan : $1 })
        },
        BadModel("infinity as F32", "model.safetensors", "'\(norm)': -inf at element 127") {
            try $0.setTensor(
                norm, type: "F32", shape: [128], ones.enumerated().map { $0 == 127 ? -.infinity : $1 })
        },
        BadModel("NaN as F16", "model.safetensors", "'\(norm)': nan at element 0") {
            try $0.setTensor(
                norm, type: "F16", shape: [128], [0x7E00] + [UInt16](repeating: 0x3C00, count: 127))
        },
        BadModel("infinity as F16", "model.safetensors", "'\(norm)': inf at element 1") {
            try $0.setTensor(
                norm, type: "F16", shape: [128], [0x3C00, 0x7C00] + [UInt16](repeating: 0x3C00, count: 126))
        },
        BadModel("no output of its own", "model.safetensors", "has no tensor 'lm_head.weight'") {
            try $0.edit("config.json", ["tie_word_embeddings": false])
        },
        BadModel("infinity as BF16", "model.safetensors", "'\(norm)': inf at element 0") {
            try $0.setTensor(
                norm, type: "BF16", shape: [128], [0x7F80] + [UInt16](repeating: 0x3F80, count: 127))
        },
    ]
}

/// Models that are incomplete, damaged or not supported: refused by the command that reads them.
@Suite struct BadModelTests {
    @Test(arguments: BadModel.missing + BadModel.files + BadModel.settings + BadModel.tensors)
    func isRefused(_ bad: BadModel) throws {
        let workspace = try Workspace()
        let model = try ModelCopy(in: workspace)
        try bad.damage(model)
        let file = bad.file == "model" ? model.path : model.directory.appending(path: bad.file).path
        try expectRefusal(
            [
                "quantize", model.path, "--preset", "bcq1", "--fit", "greedy", "--output",
                workspace.path("packed"),
            ],
            in: workspace, saying: [file, bad.problem])
    }

    @Test func noDirectory() throws {
        let workspace = try Workspace()
        try expectRefusal(
            ["inspect", workspace.path("none")], in: workspace,
            saying: [workspace.path("none/config.json"), "no such file"])
    }

    /// A copy with nothing wrong is accepted: what the others are refused for is the damage alone.
    @Test func undamagedCopyIsAccepted() throws {
        let workspace = try Workspace()
        let model = try ModelCopy(in: workspace)
        try model.setTensor(
            "model.encoder.layers.0.final_layer_norm.weight", type: "F32", shape: [128],
            [Float](repeating: 1, count: 128))
        try Program.succeed(
            [
                "quantize", model.path, "--preset", "bcq1", "--fit", "greedy", "--output",
                workspace.path("packed"),
            ])
    }
}
