import BitplanMetrics
import BitplanModels
import BitplanTensors
import Foundation
import TestSupport
import Testing

/// As `make_goldens_lm.py` writes them.
private struct LanguageGoldens: Decodable {
    struct Continuation: Decodable {
        let prompt: String
        let prompt_ids: [Int]
        let ids: [Int]
        let text: String
    }
    struct Line: Decodable {
        let text: String
        let ids: [Int]

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            text = try container.decode(String.self)
            ids = try container.decode([Int].self)
        }
    }
    let context: Int
    let stride: Int
    let windows: Int
    let scored_tokens: Int
    let perplexity: Double
    let nats_of_windows: [[Double]]
    let greedy: [Continuation]
    let lines: [Line]
}

/// As `Scripts/goldens/models.py` writes them.
private struct TinyGoldens: Decodable {
    struct Continuation: Decodable {
        let prompt: [Int]
        let ids: [Int]
    }
    struct Windows: Decodable {
        let context: Int
        let stride: Int
        let nats: [[Double]]
    }
    let ids: [Int]
    let greedy: [Continuation]
    let text: [String]
    let windows: [Windows]
}

private func decode<Value: Decodable>(_ type: Value.Type, _ file: URL) throws -> Value {
    try JSONDecoder().decode(type, from: Data(contentsOf: file))
}

private func largestDifference(_ a: [Float], _ b: some Collection<Float>) -> Float {
    #expect(a.count == b.count)
    return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

@Suite struct LlamaGoldenTests {
    static let small = "models/wikitext-lm"
    static let tiny = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-llama")

    /// Logits of every position but the last, which predicts nothing that is in the text.
    private func logits(_ network: DecoderNetwork, _ ids: [Int]) -> Matrix {
        network.logits(network.outputs(network.state([.init(tokens: ids + [0], scored: ids.count)])))
    }

    @Test(.enabled(if: TestFiles.hasShared(small), "needs ../shared/models/wikitext-lm"))
    func wikitext() throws {
        let directory = TestFiles.shared.appending(path: Self.small)
        let model = try Model<LlamaFamily>(directory: directory)
        let network = try model.network()
        let goldens = try decode(LanguageGoldens.self, directory.appending(path: "goldens/goldens.json"))
        let tensors = try Safetensors(directory.appending(path: "goldens/goldens.safetensors"))
        for line in goldens.lines {
            #expect(model.family.tokenizer.encode(line.text, addingSpecialTokens: false) == line.ids)
        }
        var worst: Float = 0
        for index in 0..<3 {
            let ids = Array(goldens.lines[index].ids.prefix(32))
            worst = max(
                worst, largestDifference(try tensors.floats("logits_\(index)"), logits(network, ids).storage))
        }
        print("wikitext-lm, largest deviation of logits from PyTorch:", worst)
        #expect(worst < 2e-3)

        let data = try model.family.task.dataset(
            [directory.appending(path: "data/test.txt")], limit: goldens.windows)
        #expect(data.examples.count == goldens.windows)
        #expect(data.examples.reduce(0) { $0 + $1.scored } == goldens.scored_tokens)
        #expect(data.examples.prefix(50).map(\.scored) == goldens.nats_of_windows.map { Int($0[1]) })
        let score = try model.family.task.score(network, on: data, options: TaskOptions())
        print("wikitext-lm:", score.values, score.signature)
        #expect(abs(score.values[0].value / goldens.perplexity - 1) < 1e-3)
        for (nats, golden) in zip(score.outputs, goldens.nats_of_windows) {
            #expect(abs((Double(nats) ?? 0) - golden[0]) < 0.02)
        }
        // Nats per byte, from bytes that were counted otherwise.
        let bytes = data.examples.reduce(0) { $0 + $1.bytes }
        let perByte = log(score.values[0].value) * Double(goldens.scored_tokens) / Double(bytes) / log(2)
        #expect(abs(score.values[1].value - perByte) < 1e-9)
    }

    @Test(.enabled(if: TestFiles.hasShared(small), "needs ../shared/models/wikitext-lm"))
    func greedyTextIsTheReferences() throws {
        let directory = TestFiles.shared.appending(path: Self.small)
        let model = try Model<LlamaFamily>(directory: directory)
        let network = try model.network()
        let goldens = try decode(LanguageGoldens.self, directory.appending(path: "goldens/goldens.json"))
        let prompts = goldens.greedy.map(\.prompt_ids)
        let together = network.generate(prompts, maximumLength: 32)
        for (index, golden) in goldens.greedy.enumerated() {
            #expect(
                model.family.tokenizer.encode(golden.prompt, addingSpecialTokens: false) == golden.prompt_ids)
            #expect(golden.prompt_ids + together[index] == golden.ids)
            #expect(
                model.family.tokenizer.decode(golden.prompt_ids + together[index], keepingSpecialTokens: true)
                    == golden.text)
            #expect(network.generate([golden.prompt_ids], maximumLength: 32) == [together[index]])
        }
        var options = TaskOptions(maximumLength: 32)
        let lines = goldens.greedy.map(\.prompt)
        let answers = try model.family.task.run(network, lines: lines, options: options)
        #expect(answers == together.map { model.family.tokenizer.decode($0) })

        options.temperature = 0.8
        options.seed = 11
        let sampled = try model.family.task.run(network, lines: lines, options: options)
        #expect(sampled != answers)
        options.batchSize = 2
        #expect(try model.family.task.run(network, lines: lines, options: options) == sampled)
        options.seed = 12
        #expect(try model.family.task.run(network, lines: lines, options: options) != sampled)
    }

    /// Grouped queries, odd head size, biases, untied head: a random model against transformers.
    @Test func oddShapes() throws {
        let model = try Model<LlamaFamily>(directory: Self.tiny)
        let network = try model.network()
        #expect(model.family.layout.sublayers.last?.name.description == "Head")
        let goldens = try decode(TinyGoldens.self, Self.tiny.appending(path: "goldens.json"))
        let tensors = try Safetensors(Self.tiny.appending(path: "goldens.safetensors"))
        let worst = largestDifference(try tensors.floats("logits"), logits(network, goldens.ids).storage)
        print("tiny-llama, largest deviation of logits from PyTorch:", worst)
        #expect(worst < 2e-3)
        let continued = network.generate(goldens.greedy.map(\.prompt), maximumLength: 20)
        #expect(continued == goldens.greedy.map(\.ids))
    }

    /// Nats of every window of a text, for several contexts and strides, against transformers.
    @Test func windowsOfOtherSizes() throws {
        let model = try Model<LlamaFamily>(directory: Self.tiny)
        let network = try model.network()
        let goldens = try decode(TinyGoldens.self, Self.tiny.appending(path: "goldens.json"))
        let file = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString).txt")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(goldens.text.joined(separator: "\n").utf8).write(to: file)
        for golden in goldens.windows {
            let windows = TextWindows(context: golden.context, stride: golden.stride)
            let data = try model.family.task.dataset([file], limit: nil, windows: windows)
            #expect(data.windows == windows)
            #expect(data.examples.map(\.scored) == golden.nats.map { Int($0[1]) }, "\(windows)")
            let score = try model.family.task.score(network, on: data, options: TaskOptions())
            #expect(score.signature == "perplexity|context:\(golden.context)|stride:\(golden.stride)")
            for (nats, golden) in zip(score.outputs, golden.nats) {
                #expect(abs((Double(nats) ?? 0) - golden[0]) < 1e-3 * golden[1], "\(windows)")
            }
            let tokens = golden.nats.reduce(0) { $0 + $1[1] }
            let perplexity = exp(golden.nats.reduce(0) { $0 + $1[0] } / tokens)
            #expect(abs(score.values[0].value / perplexity - 1) < 1e-3, "\(windows)")
        }
        for (context, stride, message) in [
            (49, 5, "expected 2 to the model's 48 positions, got 49"),
            (1, 1, "windows of a text: expected 2"),
            (10, 11, "steps between windows: expected 1 to the 10 tokens of a window, got 11"),
            (10, 0, "expected 1 to the 10"),
        ] {
            let error = #expect(throws: DataError.self) {
                try model.family.task.dataset(
                    [file], limit: nil, windows: TextWindows(context: context, stride: stride))
            }
            #expect(error.map { "\($0)" }?.contains(message) == true, "\(error.map { "\($0)" } ?? "")")
        }
    }

    @Test func windowsScoreEveryTokenOnce() throws {
        let family = try LlamaFamily(directory: Self.tiny)
        let file = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString).txt")
        defer { try? FileManager.default.removeItem(at: file) }
        // 48 positions: windows of 48 tokens, 47 apart.
        let lines = (0..<23).map { "line \($0) of the file é" }
        try Data((lines.joined(separator: "\n") + "\n\n  \n").utf8).write(to: file)
        let tokens = lines.flatMap { family.tokenizer.encode($0, addingSpecialTokens: false) + [1] }
        let data = try family.task.dataset([file], limit: nil)
        let scored = data.examples.flatMap { $0.tokens.suffix($0.scored) }
        #expect(scored == Array(tokens.dropFirst()))
        // The first token is never predicted; every line's end counts as one byte.
        let bytes = lines.reduce(0) { $0 + $1.utf8.count + 1 }
        #expect(
            data.examples.reduce(0) { $0 + $1.bytes } == bytes - family.tokenizer.byteCount(of: tokens[0]))
        let few = try family.task.dataset([file], limit: 2)
        #expect(few.examples == Array(data.examples.prefix(2)))
    }

    @Test(
        arguments: [
            (#""rope_scaling": {"type": "longrope", "factor": 2}"#, "rope_type 'longrope' is not supported"),
            (
                #""rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e6}}"#,
                "'rope_parameters': 'full_attention' with rotary settings of its own is not supported"
            ),
            (#""num_key_value_heads": 4"#, "not a multiple of num_key_value_heads 4"),
            (#""hidden_act": "mish""#, "'mish' is not supported"), (#""head_dim": 5"#, "heads of 5 channels"),
            (#""eos_token_id": [1, 900]"#, "token 900 is outside"),
            (#""vocab_size": 100"#, "config.json says vocab_size 100"),
            (#""hidden_size": "24""#, "'hidden_size': expected an integer"),
        ])
    func unsupportedConfigurations(_ change: String, _ expected: String) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.copyItem(
            at: Self.tiny.appending(path: "tokenizer.json"), to: directory.appending(path: "tokenizer.json"))
        let json = try JSONSerialization.jsonObject(
            with: Data(contentsOf: Self.tiny.appending(path: "config.json")))
        var settings = try #require(json as? [String: Any])
        let changed = try JSONSerialization.jsonObject(with: Data("{\(change)}".utf8))
        settings.merge(try #require(changed as? [String: Any])) { $1 }
        try JSONSerialization.data(withJSONObject: settings).write(
            to: directory.appending(path: "config.json"))
        let error = #expect(throws: FileError.self) { try LlamaFamily(directory: directory) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }
}
