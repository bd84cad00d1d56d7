import BitplanModels
import BitplanTensors
import BitplanTokenizers
import BitplanWorkflows
import Foundation
import TestSupport
import Testing

/// What can be wrong with the files of a model of every `model_type`: one line each, which says where.
@Suite struct BadFamilyTests {
    /// Marian's own format has tests of its own (`MarianNativeBadDirectoryTests`).
    static let types = EveryFamilyTests.models.keys.sorted().filter { $0 != "marian-native" }

    /// Files that have defaults, or that several models do without.
    private static let optional: Set = ["generation_config.json", "tokenizer_config.json"]

    /// The files of a model, without the goldens beside them.
    private func files(_ type: String) throws -> [String] {
        let directory = try EveryFamilyTests.directory(type)
        return try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted().filter {
            !$0.hasPrefix("golden") && !$0.hasPrefix("gradients") && $0.contains(".")
        }
    }

    /// What opening a copy after `change` throws; nil where it is opened.
    private func failure(_ type: String, _ change: (URL) throws -> Void) throws -> String? {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        for file in try files(type) {
            try FileManager.default.copyItem(
                at: EveryFamilyTests.directory(type).appending(path: file),
                to: directory.appending(path: file))
        }
        try change(directory)
        func open<Family: ModelFamily>(_ family: Family.Type) throws {
            _ = try Model<Family>(directory: directory).network()
        }
        do {
            try open(EveryFamilyTests.family(type))
            return nil
        } catch {
            let text = "\(error)"
            let isOneLine = !text.contains(where: \.isNewline) && text.contains(directory.lastPathComponent)
            #expect(isOneLine && (error is FileError || error is TokenizerError), "\(type): \(text)")
            return text
        }
    }

    /// The same after a change of settings.
    private func failure(_ type: String, _ changes: (inout [String: Any]) throws -> Void) throws -> String? {
        try failure(type) { directory in
            let file = directory.appending(path: "config.json")
            var settings = try FileError.readObject(file)
            try changes(&settings)
            try JSONSerialization.data(withJSONObject: settings).write(to: file)
        }
    }

    /// A copy with nothing wrong is opened: what the others are refused for is the damage alone.
    @Test(arguments: types) func undamaged(_ type: String) throws {
        #expect(try failure(type) { (_: URL) in } == nil)
    }

    @Test(arguments: types) func missingFiles(_ type: String) throws {
        let needed = try files(type).filter { !Self.optional.contains($0) }
        #expect(needed.contains("config.json") && needed.contains("model.safetensors") && needed.count > 2)
        for file in needed {
            let text = try failure(type) { try FileManager.default.removeItem(at: $0.appending(path: file)) }
            #expect(text?.contains(file) == true, "\(type), \(file): \(text ?? "opened")")
        }
    }

    @Test(arguments: types) func truncatedFiles(_ type: String) throws {
        for file in try files(type) {
            let text = try failure(type) {
                let url = $0.appending(path: file)
                let data = try Data(contentsOf: url)
                try data.prefix(data.count / 2).write(to: url)
            }
            #expect(text?.contains(file) == true, "\(type), \(file): \(text ?? "opened")")
        }
    }

    @Test(arguments: types) func otherWidths(_ type: String) throws {
        let keys = ["intermediate_size", "encoder_ffn_dim", "d_ff", "hidden_dim"]
        let text = try failure(type) { settings in
            let key = try #require(keys.first { settings[$0] != nil })
            settings[key] = try #require(settings[key] as? Int) + 8
        }
        #expect(
            text?.contains("model.safetensors: tensor '") == true && text?.contains("expected shape") == true,
            "\(type): \(text ?? "opened")")
    }

    @Test(arguments: types) func vocabulariesThatDoNotFit(_ type: String) throws {
        let text = try failure(type) { $0["vocab_size"] = 8 }
        // Where the settings name a token beyond it, that comes first.
        let expected = ["vocab_size 8", "outside the vocabulary of 8"]
        #expect(expected.contains { text?.contains($0) == true }, "\(type): \(text ?? "opened")")
    }

    /// The class of another task, and a key that asks for another network.
    @Test(arguments: types) func otherNetworks(_ type: String) throws {
        let other = try failure(type) { $0["architectures"] = ["AnotherModel"] }
        #expect(other?.contains("'AnotherModel' is not supported") == true, "\(type): \(other ?? "opened")")
        let text = try failure(type) { settings in
            settings["is_encoder_decoder"] = settings["is_encoder_decoder"] as? Bool != true
        }
        #expect(text?.contains("'is_encoder_decoder': ") == true, "\(type): \(text ?? "opened")")
    }
}
