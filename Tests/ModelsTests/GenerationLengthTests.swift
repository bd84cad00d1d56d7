import BitplanModels
import BitplanTensors
import Foundation
import TestSupport
import Testing

/// How long a generated text may become, as transformers 5.24 decides it: `max_new_tokens`, else
/// `max_length`, else 20 new tokens.
@Suite struct GenerationLengthTests {
    private static let goldens = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens")

    private func settings(_ object: [String: Any]) -> Settings {
        Settings(file: URL(filePath: "/generation_config.json"), object: object)
    }

    private func marian(
        _ generation: [String: Any], _ model: [String: Any] = [:]
    ) throws -> TranslationSettings {
        let file = Self.goldens.appending(path: "marian-gelu-1-2/config.json")
        let config = try FileError.readObject(file).merging(model) { $1 }
        return try BartConfiguration(
            MarianFamily.variant,
            Settings(file: file, object: config), generation: settings(generation)
        ).generation
    }

    /// The start symbol counts in `max_length`, not in `max_new_tokens`.
    @Test func translations() throws {
        let positions = ["max_position_embeddings": 512]
        #expect(try marian([:], positions).maximumLength == 21)
        #expect(try marian(["max_length": 20], positions).maximumLength == 20)
        #expect(try marian(["max_length": NSNull()], positions).maximumLength == 21)
        #expect(try marian(["max_new_tokens": 200], positions).maximumLength == 201)
        #expect(try marian(["max_new_tokens": 5, "max_length": 512], positions).maximumLength == 6)
        #expect(try marian(["max_new_tokens": 5000], positions).maximumLength == 512)
        #expect(throws: FileError.self) { try marian(["max_new_tokens": 0]) }
    }

    /// With a generation_config.json, what config.json says of generation does not count.
    @Test func tokens() throws {
        let model = ["forced_eos_token_id": 0, "bad_words_ids": [[3]], "max_length": 7] as [String: Any]
        let none = try marian([:], model)
        #expect(none.forcedEndToken == nil && none.bannedTokens == [])
        #expect(try marian(["forced_eos_token_id": NSNull()], model).forcedEndToken == nil)
        #expect(try marian(["forced_eos_token_id": 0], model).forcedEndToken == 0)
    }

    @Test(arguments: [
        ("min_new_tokens", "30", "'min_new_tokens': 30 is not supported: expected 0"),
        ("sequence_bias", "[[[2], -10.0]]", "'sequence_bias' is not supported"),
        (
            "exponential_decay_length_penalty", "[3, 1.5]",
            "'exponential_decay_length_penalty' is not supported"
        ),
        (
            "encoder_repetition_penalty", "1.5",
            "'encoder_repetition_penalty': 1.5 is not supported: expected 1"
        ),
        ("do_sample", "true", "'do_sample': true is not supported: expected false"),
        ("stop_strings", "\".\"", "'stop_strings': '.' is not supported"),
    ])
    func whatTranslationsDoNotHave(_ key: String, _ json: String, _ message: String) throws {
        let value = try JSONSerialization.jsonObject(with: Data("{\"\(key)\": \(json)}".utf8))
        let object = try #require(value as? [String: Any])
        let error = #expect(throws: FileError.self) { try marian(object) }
        #expect(error?.description == "/generation_config.json: \(message)")
    }

    private func llama(_ generation: [String: Any]) throws -> LlamaConfiguration {
        try LlamaConfiguration(
            Settings(Self.goldens.appending(path: "tiny-llama/config.json")), generation: settings(generation)
        )
    }

    @Test func continuations() throws {
        let silent = try llama([:])
        #expect(silent.maximumNewTokens == nil && silent.maximumLength == nil)
        let both = try llama(["max_new_tokens": 3, "max_length": 10])
        #expect(both.maximumNewTokens == 3 && both.maximumLength == 10)
        let sampled = try llama(["top_p": 0.9, "do_sample": true, "temperature": 0.6])
        #expect(sampled.unsupportedGeneration == nil)
        #expect(sampled.unsupportedSampling?.message == "'top_p': 0.9 is not supported: expected 1")
        #expect(try llama(["top_k": 0]).unsupportedSampling == nil)
    }

    /// Lines of different lengths in one batch each end where they would alone.
    @Test func runKeepsTheModelsLength() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.copyItem(at: Self.goldens.appending(path: "tiny-llama"), to: directory)
        func model(_ generation: String) throws -> (family: LlamaFamily, network: DecoderNetwork) {
            try Data(generation.utf8).write(to: directory.appending(path: "generation_config.json"))
            let model = try Model<LlamaFamily>(directory: directory)
            return (model.family, try model.network())
        }
        let lines = ["a", "a line", "another line of text"]
        let (family, network) = try model(#"{"max_length": 24, "eos_token_id": []}"#)
        let together = try family.task.run(network, lines: lines, options: TaskOptions())
        for (line, answer) in zip(lines, together) {
            let room = 24 - family.tokenizer.encode(line).count
            try #require(room > 0)
            let alone = try family.task.run(network, lines: [line], options: TaskOptions(maximumLength: room))
            #expect([answer] == alone)
        }
        #expect(
            try family.task.run(network, lines: lines, options: TaskOptions(maximumLength: 2)) != together)
        let (few, same) = try model(#"{"max_new_tokens": 2, "eos_token_id": []}"#)
        #expect(
            try few.task.run(same, lines: lines, options: TaskOptions())
                == family.task.run(network, lines: lines, options: TaskOptions(maximumLength: 2)))
        let (short, _) = try model(#"{"max_length": 2}"#)
        let error = #expect(throws: LineError.self) {
            try short.task.run(network, lines: lines, options: TaskOptions())
        }
        #expect(error?.message.contains("expected fewer than the model's max_length, 2") == true)
    }
}
