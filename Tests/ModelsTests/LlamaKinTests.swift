import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Random models that differ from Llama in settings against transformers, as `Scripts/goldens/kin.py` writes
/// them: scaled rotary positions, windows, biases, norms of queries and keys, layers without positions,
/// bounded scores, and tokenizers of both kinds.
@Suite struct LlamaKinTests {
    private struct Goldens: Decodable {
        struct Continuation: Decodable {
            let prompt: String
            let ids: [Int]
            let text: String
        }
        struct Line: Decodable {
            let text: String
            let ids: [Int]
            let decoded: String

            init(from decoder: any Decoder) throws {
                var container = try decoder.unkeyedContainer()
                text = try container.decode(String.self)
                ids = try container.decode([Int].self)
                decoded = try container.decode(String.self)
            }
        }
        let ids: [Int]
        let greedy: [Continuation]
        let lines: [Line]
    }

    static let directory = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/kin")
    static let names = [
        "bitnet", "gemma2", "gemma3_text", "llama2", "llama3", "mistral", "qwen2", "qwen3", "smollm3",
    ]

    private func difference(_ a: [Float], _ b: [Float]) -> Float {
        #expect(a.count == b.count)
        return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }

    @Test(arguments: names)
    func statesLogitsAndText(_ name: String) throws {
        let directory = Self.directory.appending(path: name)
        let model = try Model<LlamaFamily>(directory: directory)
        let network = try model.network()
        #expect(model.family.type == (name.hasPrefix("llama") ? "llama" : name))
        let layers = model.family.configuration.layers
        #expect(
            model.family.layout.sublayers.map(\.name.description) == ["Emb"]
                + (0..<layers).flatMap { ["Attention.\($0)", "FFN.\($0)"] }
                + (model.family.configuration.isTied ? [] : ["Head"]))
        let goldens = try JSONDecoder().decode(
            Goldens.self, from: Data(contentsOf: directory.appending(path: "goldens.json")))
        let tensors = try Safetensors(directory.appending(path: "goldens.safetensors"))
        let example = DecoderNetwork.Example(tokens: goldens.ids + [0], scored: goldens.ids.count)
        var states: Float = 0
        for layer in 0...layers {
            let state = network.state([example], before: 1 + 2 * layer)
            states = max(
                states, difference(try tensors.floats("hidden_\(layer)"), state.decoder.hidden.storage))
        }
        let logits = difference(
            try tensors.floats("logits"), network.logits(network.outputs(network.state([example]))).storage)
        print("\(name), largest deviation from PyTorch: states \(states), logits \(logits)")
        #expect(states < 2e-3 && logits < 2e-3)

        for line in goldens.lines {
            #expect(model.family.tokenizer.encode(line.text) == line.ids, "\(line.text.debugDescription)")
            #expect(model.family.tokenizer.decode(line.ids) == line.decoded, "\(line.text.debugDescription)")
        }
        let answers = try model.family.task.run(
            network, lines: goldens.greedy.map(\.prompt), options: TaskOptions(maximumLength: 24))
        #expect(answers == goldens.greedy.map { String($0.text.map { $0.isNewline ? " " : $0 }) })
        let prompts = goldens.greedy.map { model.family.tokenizer.encode($0.prompt) }
        // What transformers gives ends with the end symbol where there is one.
        let continued = network.generate(prompts, maximumLength: 24)
        for (got, golden) in zip(continued, goldens.greedy) {
            #expect(golden.ids.starts(with: got) && golden.ids.count - got.count <= 1, "\(golden.prompt)")
        }
    }

    /// A text's bytes do not depend on the space that some tokenizers put before it.
    @Test(arguments: names)
    func bytesOfTokens(_ name: String) throws {
        let tokenizer = try LlamaFamily(directory: Self.directory.appending(path: name)).tokenizer
        for text in ["the cat and", "Größe 中 1", " two  spaces ", "x"] {
            let ids = tokenizer.encode(text, addingSpecialTokens: false)
            #expect(tokenizer.byteCounts(of: ids, in: text).reduce(0, +) == text.utf8.count, "\(text)")
        }
    }

    /// A step with a cache sees the window that whole sequences see, pages and all.
    @Test(arguments: ["gemma2", "gemma3_text", "mistral", "qwen2", "smollm3"])
    func windowsStepByStep(_ name: String) throws {
        let network = try Model<LlamaFamily>(directory: Self.directory.appending(path: name)).network()
        let tokens = (0..<40).map { 3 + 7 * $0 % 250 }
        let whole = network.logits(
            network.outputs(network.state([.init(tokens: tokens + [0], scored: tokens.count)])))
        for start in [1, 7, 8, 9, 23] {
            var (logits, cache) = network.read([Array(tokens[..<start])])
            for place in start..<tokens.count {
                #expect(difference(Array(whole[row: place - 1]), logits.storage) < 2e-5, "\(place)")
                logits = network.step([tokens[place]], &cache)
            }
        }
    }

    /// The latency model counts what each layer's window lets a token see, and a table keeps it. Queries of 8
    /// tokens and of 2 behind them see 36 and 19 keys; in windows of 6, 1 + ... + 6 + 6 + 6 and 12.
    @Test func windowsInTheLatencyModel() throws {
        for name in Self.names {
            let family = try LlamaFamily(directory: Self.directory.appending(path: name))
            let work = try #require(family.layout.work)
            let windows = (0..<family.configuration.layers).map {
                work[SublayerName(.attention, depth: $0)].attentions.map(\.window)
            }
            #expect(windows == family.configuration.windows.map { [$0, $0] }, "\(name)")
            let read = try JSONDecoder().decode(ModelWork.self, from: JSONEncoder().encode(work))
            #expect(read == work)
        }
        let gemma = try LlamaFamily(directory: Self.directory.appending(path: "gemma2"))
        #expect(gemma.configuration.windows == [6, nil, 6] && gemma.configuration.heads == 4)
        let terms = gemma.layout.overhead(of: Workload(read: 8, steps: 2, predictions: 2))
        #expect(terms[.readScores] == 4.0 * (33 + 36 + 33))
        #expect(terms[.stepScores] == 4.0 * (12 + 19 + 12))
    }

    /// Reads the family of a model with these settings changed; `null` takes a key away.
    private func family(_ name: String, _ change: String) throws -> LlamaFamily {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.copyItem(at: Self.directory.appending(path: name), to: directory)
        let file = directory.appending(path: "config.json")
        var settings = try FileError.readObject(file)
        let changed = try JSONSerialization.jsonObject(with: Data("{\(change)}".utf8))
        settings.merge(try #require(changed as? [String: Any])) { $1 }
        try JSONSerialization.data(withJSONObject: settings.filter { !($0.value is NSNull) }).write(to: file)
        return try LlamaFamily(directory: directory)
    }

    /// What is meant where config.json does not say it.
    @Test func usualSettings() throws {
        let qwen2 = try family("qwen2", #""use_sliding_window": false, "max_position_embeddings": null"#)
        #expect(qwen2.configuration.windows == [nil, nil, nil])
        #expect(qwen2.configuration.maximumPositions == 32768)
        #expect(qwen2.configuration.attentionHasBias && !qwen2.configuration.attentionOutputHasBias)
        #expect(try family("qwen2", "").configuration.windows == [nil, 9, 9])
        let listed = #""layer_types": ["sliding_attention", "full_attention", "sliding_attention"]"#
        #expect(try family("qwen2", listed).configuration.windows == [9, nil, 9])
        #expect(try family("mistral", #""sliding_window": null"#).configuration.windows == [4096, 4096])
        #expect(try family("qwen3", #""head_dim": null"#).configuration.headSize == 128)
        let smollm = try family("smollm3", #""no_rope_layers": null, "no_rope_layer_interval": 3"#)
        #expect(smollm.configuration.hasPositions == [true, true, false, true])
        #expect(smollm.configuration.windows == [nil, nil, 11, nil])
        #expect(smollm.layerStack == nil, "layers that differ cannot be dropped")
        #expect(try family("smollm3", #""no_rope_layers": null"#).configuration.hasPositions[3] == false)
        let gemma2 = try family("gemma2", #""head_dim": null, "sliding_window": null"#).configuration
        #expect(gemma2.headSize == 256 && gemma2.windows == [4096, nil, 4096])
        let gemma3 = try family("gemma3_text", #""sliding_window_pattern": null"#).configuration
        #expect(gemma3.windows == [5, 5, 5, 5, 5] && gemma3.hasPositions == [true, true, true, true, true])
    }

    @Test(arguments: [
        (
            "llama3", #""rope_scaling": {"rope_type": "yarn", "factor": 4}"#,
            "rope_type 'yarn' is not supported"
        ),
        ("llama3", #""rope_scaling": {"rope_type": "llama3", "factor": 4}"#, "'low_freq_factor' is missing"),
        (
            "llama3",
            #""rope_scaling": {"rope_type": "llama3", "factor": 4, "low_freq_factor": 4, "high_freq_factor": 4}"#,
            "expected a high_freq_factor above the low_freq_factor 4.0, got 4.0"
        ),
        ("llama2", #""rope_scaling": {"type": "linear"}"#, "'factor' is missing"),
        (
            "llama2", #""rope_scaling": {"type": "linear", "factor": 0}"#,
            "'factor': expected at least 1.0, got 0.0"
        ),
        (
            "qwen2", #""rope_parameters": {"rope_type": "dynamic", "factor": "x"}"#,
            "'factor': expected a number, got x"
        ),
        ("mistral", #""sliding_window": 0"#, "'sliding_window': expected a size from 1"),
        ("qwen2", #""layer_types": ["full_attention"]"#, "'layer_types': expected 'sliding_attention' or"),
        ("qwen2", #""layer_types": ["a", "b", "c"]"#, "'layer_types': expected 'sliding_attention' or"),
        (
            "qwen2",
            #""use_sliding_window": false, "layer_types": ["full_attention", "sliding_attention", "full_attention"]"#,
            "'layer_types': layer 1 is 'sliding_attention', but there is no sliding_window in use"
        ),
        ("smollm3", #""no_rope_layers": [1, 0]"#, "'no_rope_layers': expected a 0 or 1 for each of 4 layers"),
        ("smollm3", #""no_rope_layers": [1, 0, 2, 1]"#, "'no_rope_layers': expected a 0 or 1"),
        (
            "qwen3", #""model_type": "qwen3_moe""#,
            "model_type 'qwen3_moe' is not supported here: expected one of bitnet, gemma2, gemma3_text, llama, mistral, qwen2, qwen3, smollm3"
        ),
        (
            "qwen3", #""architectures": ["LlamaForCausalLM"]"#,
            "'LlamaForCausalLM' is not supported: expected Qwen3"
        ),
        (
            "gemma2", #""attn_logit_softcapping": 0"#,
            "'attn_logit_softcapping': expected a positive number, got 0.0"
        ),
        (
            "gemma3_text", #""attn_logit_softcapping": 50"#,
            "'attn_logit_softcapping': 50 is not supported"
        ),
        ("gemma3_text", #""final_logit_softcapping": -1"#, "'final_logit_softcapping': expected a positive"),
        (
            "gemma3_text", #""use_bidirectional_attention": true"#,
            "'use_bidirectional_attention': true is not supported: expected false"
        ),
        (
            "gemma3_text", #""rope_parameters": {"rope_type": "default"}"#,
            "'rope_parameters': expected an object of 'full_attention' and 'sliding_attention'"
        ),
        (
            "gemma3_text", #""rope_parameters": {"full_attention": {"rope_type": "yarn"}}"#,
            "rope_type 'yarn' is not supported"
        ),
        (
            "gemma2", #""layer_types": ["full_attention"]"#,
            "'layer_types': expected 'sliding_attention' or 'full_attention' for each of 3 layers"
        ),
        ("gemma2", #""query_pre_attn_scalar": 0"#, "'query_pre_attn_scalar': expected a size from 1"),
        ("llama2", #""vocab_size": 100"#, "config.json says vocab_size 100"),
    ])
    func unsupportedConfigurations(_ name: String, _ change: String, _ expected: String) throws {
        let error = #expect(throws: FileError.self) { try family(name, change) }
        let text = error?.description ?? ""
        #expect(text.contains(expected) && !text.contains("\n"), "\(text)")
    }
}
