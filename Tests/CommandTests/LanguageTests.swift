import Foundation
import TestSupport
import Testing

/// Models that translate between many languages: options choose them, packed models keep them.
@Suite struct LanguageTests {
    private static let goldens = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens")
    private static let model = goldens.appending(path: "tiny-m2m100").path
    private static let text = "the cat sat on the mat\nrain\n\nthe dog and the bird\n"

    private func translate(_ model: String, _ options: [String] = []) throws -> String {
        try Program.succeed(["run", model] + options, input: Self.text).text
    }

    @Test func packedModelsKeepThem() throws {
        let workspace = try Workspace()
        let french = ["--source-language", "de", "--target-language", "fr"]
        let (own, chosen) = (try translate(Self.model), try translate(Self.model, french))
        #expect(own != chosen)
        #expect(try translate(Self.model, ["--source-language", "en", "--target-language", "de"]) == own)
        for (name, options) in [("own", []), ("chosen", french)] {
            try Program.succeed(
                ["quantize", Self.model, "--preset", "fp16", "--output", workspace.path(name)] + options)
        }
        #expect(try translate(workspace.path("own")) == own)
        #expect(try translate(workspace.path("chosen")) == chosen)
        #expect(
            try translate(workspace.path("chosen"), ["--source-language", "en", "--target-language", "de"])
                == own)
        let settings = try #require(
            try JSONSerialization.jsonObject(with: workspace.read("chosen/tokenizer_config.json"))
                as? [String: Any])
        #expect(settings["src_lang"] as? String == "de" && settings["tgt_lang"] as? String == "fr")
    }

    /// Of measuring, languages are part of the key: the store holds those of one pair apart from another's.
    @Test func measuringKnowsThem() throws {
        let workspace = try Workspace()
        let data = try workspace.write("the cat\nrain\n", to: "data.en").path
        func table(_ language: String, _ name: String) throws -> Data {
            try Program.succeed(
                ["sweep", Self.model, "--data", data, "--schemes", "bcq2", "--fit", "greedy"]
                    + [
                        "--no-groups", "--target-language", language, "--store",
                        workspace.path("store.sqlite"),
                    ]
                    + ["--output", workspace.path(name)])
            return try workspace.read(name)
        }
        let (first, other) = (try table("de", "de.json"), try table("fr", "fr.json"))
        #expect(first != other)
        #expect(try table("de", "again.json") == first)
    }

    @Test func refusals() throws {
        let workspace = try Workspace()
        let run = ["run", Self.model]
        try expectRefusal(
            run + ["--target-language", "deu"], in: workspace, input: "a\n",
            saying: ["target language: expected one of 100 codes, such as de, got 'deu'"])
        try expectRefusal(
            run + ["--source-language", "xx"], in: workspace, input: "a\n",
            saying: ["source language: expected one of 100 codes, such as af"])
        try expectRefusal(
            ["run", Fixture.model.path, "--target-language", "de"], in: workspace, input: "a\n",
            saying: [
                "--source-language, --target-language: languages: expected a model that translates between several (m2m_100, mbart), got one of type 'marian'"
            ])
        let bare = workspace.file("bare")
        try FileManager.default.copyItem(atPath: Self.model, toPath: bare.path)
        for (file, key) in [
            ("tokenizer_config.json", "tgt_lang"), ("generation_config.json", "forced_bos_token_id"),
        ] {
            let url = bare.appending(path: file)
            var settings = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
            settings[key] = nil
            try JSONSerialization.data(withJSONObject: settings).write(to: url)
        }
        for arguments in [["run", bare.path], ["evaluate", bare.path, "--data"] + Fixture.planning] {
            try expectRefusal(
                arguments, in: workspace, input: "a\n",
                saying: ["target language: expected one of 100 codes (--target-language, or 'tgt_lang'"])
        }
    }
}
