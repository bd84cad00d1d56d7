import Foundation
import TestSupport
import Testing

/// All stages of a model in Marian's own format, from English text alone.
@Suite struct MarianNativeTests {
    private static let text = """
        the cat sat on the mat and looked at the dog
        a small bird sings in the old tree near the river
        we walk to the market in the morning and buy bread
        she reads a long letter from her brother by the window
        rain fell on the roof all night and the garden is green
        the dog
        a boat on the lake
        bread
        the old tree
        a letter from her brother
        green
        we look at the dog in the garden

        """

    private func packed(in workspace: Workspace) throws -> String {
        let data = try workspace.write(Self.text, to: "text.en").path
        let outcome = try Program.succeed([
            "auto", Fixture.marianNative.path, "--data", data, "--size", "5x", "--schemes", "bcq2,bcq3,tcq2",
            "--effort", "4", "--no-store", "--tune-steps", "2", "--name", "x", "--reports",
            workspace.path("r"), "--plans", workspace.path("p"), "--output", workspace.path("packed"),
        ])
        #expect(outcome.text.contains("The model's own file of integers has 54,528 bytes"))
        return workspace.path("packed")
    }

    @Test func automatically() throws {
        let workspace = try Workspace()
        let packed = try packed(in: workspace)
        for place in [packed, packed + "-tuned"] {
            let names = try Set(FileManager.default.contentsOfDirectory(atPath: place))
            #expect(names == ["config.json", "config.yml", "model.safetensors", "vocab.spm"])
            let settings = try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(filePath: place).appending(path: "config.json")))
            let object = try #require(settings as? [String: Any])
            #expect(object["model_type"] as? String == "marian-native")
            #expect(object["dec-cell"] as? String == "ssru")
            // Every line has an answer of its own, with and without a shortlist, whatever the batch.
            for options in [[], ["--shortlist", Fixture.marianNative.appending(path: "lex.bin").path]] {
                for beams in ["1", "3"] {
                    let run = ["run", place, "--beams", beams] + options
                    let all = try Program.succeed(run, input: Self.text).text
                    #expect(all.split(separator: "\n", omittingEmptySubsequences: false).count == 13)
                    #expect(try Program.succeed(run + ["--batch", "1"], input: Self.text).text == all)
                }
            }
        }
        let table = try JSONSerialization.jsonObject(with: workspace.read("r/x.sensitivity.json"))
        let text = String(describing: table)
        for kind in ["Enc_ee.1", "Enc_ffn.0", "Dec_rnn.0", "Dec_ed.0", "Dec_ffn.0", "Emb"] {
            #expect(text.contains(kind), "\(kind)")
        }
        let inspected = try Program.succeed(["inspect", Fixture.marianNative.path])
        #expect(inspected.text.contains("118,496 bytes as FP32, 54,528 in its file of integers"))
        let measured = try Program.succeed([
            "evaluate", packed, "--reference", Fixture.marianNative.path, "--no-store", "--json", "--data",
            workspace.path("text.en"),
        ]).object()
        #expect(measured["kl"] as? Double ?? 0 > 0 || measured["klNats"] as? Double ?? 0 > 0)
    }

    /// Presets, and one of several files of weights.
    @Test func presetsAndNamedWeights() throws {
        let workspace = try Workspace()
        let model = workspace.file("model")
        try FileManager.default.copyItem(at: Fixture.marianNative, to: model)
        try FileManager.default.removeItem(at: model.appending(path: "config.yml"))
        let golden = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/marian-native/ssru/model.npz")
        try FileManager.default.copyItem(at: golden, to: model.appending(path: "model.npz"))
        let preset = ["quantize", model.path, "--preset", "chung", "--output", workspace.path("chung")]
        let several = try Program.bitplan(preset)
        #expect(several.status == 1 && several.errorLines.count == 1)
        #expect(several.error.contains("has 2 models (model.bin, model.npz): name one (--weights)"))
        let text = try workspace.write(Self.text, to: "text.en").path
        let named = try Program.succeed(preset + ["--weights", "model.npz", "--data", text])
        #expect(named.text.contains("smaller than FP32") && !named.text.contains("file of integers"))
        let integers = try Program.succeed([
            "quantize", model.path, "--weights", "model.bin", "--preset", "tcq3", "--data", text, "--output",
            workspace.path("tcq"),
        ])
        #expect(integers.text.contains("smaller than the model's file of integers (54,528 bytes)"))
        #expect(
            try Program.succeed(["run", workspace.path("chung")], input: "the dog\n").text.hasSuffix("\n"))
    }

    @Test(arguments: [
        (["--weights", "none.bin"], "none.bin: no such file"),
        (
            ["--weights", "lex.bin"],
            "lex.bin: expected a model directory, or one of Marian's *.bin and *.npz"
        ),
        (["--weights", "/dev/null"], "/dev/null: expected a file in the model directory"),
        (["--shortlist", Fixture.checking[0]], "check.en: is no shortlist"),
        (["--shortlist", "none.bin"], "none.bin: no such file"),
    ])
    func wrongFiles(_ options: [String], _ problem: String) throws {
        let outcome = try Program.bitplan(["run", Fixture.marianNative.path] + options, input: "the dog\n")
        #expect(outcome.status == 1 && outcome.errorLines.count == 1)
        #expect(outcome.error.contains(problem), "\(outcome.error)")
    }

    /// Other families have neither.
    @Test func otherFamilies() throws {
        let lex = Fixture.marianNative.appending(path: "lex.bin").path
        let shortlist = try Program.bitplan(
            ["run", Fixture.model.path, "--shortlist", lex], input: "the dog\n")
        #expect(shortlist.status == 1 && shortlist.errorLines.count == 1)
        #expect(shortlist.error.contains("a shortlist: expected a translation model in Marian's own format"))
        let weights = try Program.bitplan(
            ["run", Fixture.model.path, "--weights", "model.safetensors"], input: "the dog\n")
        #expect(weights.status == 1 && weights.errorLines.count == 1)
        #expect(weights.error.contains("model.safetensors: expected a model directory"))
    }
}
