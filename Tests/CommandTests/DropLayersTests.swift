import Foundation
import TestSupport
import Testing

/// Models with fewer layers, and SensiMix, which drops layers before it quantizes.
@Suite struct DropLayersTests {
    private static let bert = TestFiles.root.appending(path: "Fixtures/sst2-bert").path
    private static let data = TestFiles.root.appending(path: "Fixtures/data/sst2.check.tsv").path
    private static let llama = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-llama").path

    private func evaluate(_ model: String, _ data: String, reference: String) throws -> [String: Any] {
        try Program.succeed(
            [
                "evaluate", model, "--data", data, "--limit", "20", "--reference", reference, "--timed", "0",
                "--json",
            ]
        ).object()
    }

    @Test func allLayersAreTheModel() throws {
        let workspace = try Workspace()
        let text = try workspace.write("some text to read\nand more of it, to read on\n", to: "t.txt").path
        for (name, model, keep, data) in [
            ("bert", Self.bert, "0..5", Self.data), ("llama", Self.llama, "0,1", text),
        ] {
            try Program.succeed(["drop-layers", model, "--keep", keep, "--output", workspace.path(name)])
            let same = try evaluate(workspace.path(name), data, reference: model)
            #expect(same["kl"] as? Double == 0, "\(name)")
        }
    }

    @Test func keptLayersHaveTheirWeights() throws {
        let workspace = try Workspace()
        let half = workspace.path("half"), quarter = workspace.path("quarter"),
            direct = workspace.path("direct")
        try Program.succeed(["drop-layers", Self.bert, "--keep", "1..2,5", "--output", half])
        try Program.succeed(["drop-layers", half, "--keep", "0,2", "--output", quarter])
        try Program.succeed(["drop-layers", Self.bert, "--keep", "1,5", "--output", direct])
        #expect(try workspace.read("quarter/model.safetensors") == workspace.read("direct/model.safetensors"))
        let inspected = try Program.succeed(["inspect", direct])
        #expect(inspected.text.contains("Attention.1") && !inspected.text.contains("Attention.2"))
        #expect(try evaluate(direct, Self.data, reference: Self.bert)["kl"] as? Double ?? 0 > 0)
    }

    @Test(arguments: [("3+3", [0, 1, 2], [3, 4, 5]), ("2+1", [0, 1], [5]), ("0+6", [], Array(0..<6))])
    func sensimix(_ name: String, _ lower: [Int], _ upper: [Int]) throws {
        let workspace = try Workspace()
        let outcome = try Program.succeed(
            [
                "quantize", Self.bert, "--preset", "sensimix:\(name)", "--output", workspace.path("q"),
                "--json",
            ])
        let settings = try #require(
            try JSONSerialization.jsonObject(with: workspace.read("q/config.json")) as? [String: Any])
        let quantization = try #require(settings["quantization_config"] as? [String: Any])
        let plan = try #require(quantization["plan"] as? [String: Any])
        for (name, scheme) in try #require(plan["sublayers"] as? [String: String]) {
            let depth = name.split(separator: ".").last.flatMap { Int($0) } ?? -1
            switch name.split(separator: ".")[0] {
            case "Vectors": #expect(scheme == "fp32", "as the paper counts them")
            case "Emb", "Pos", "Attention": #expect(scheme == "index8", "\(name)")
            case "FFN":
                let expected = lower.contains(depth) ? "index8" : upper.contains(depth) ? "sign" : "fp16"
                #expect(scheme == expected, "\(name)")
            default: #expect(scheme == "fp16", "\(name)")
            }
        }
        #expect(try outcome.object()["bytes"] as? Int ?? 0 > 0)
        _ = try evaluate(workspace.path("q"), Self.data, reference: Self.bert)
    }

    /// The paper's way: three layers of six, the first two by 8-bit index, the third with 1-bit values.
    @Test func sensimixOfDroppedLayers() throws {
        let workspace = try Workspace()
        let small = workspace.path("small")
        try Program.succeed(["drop-layers", Self.bert, "--keep", "0..2", "--output", small])
        try Program.succeed(["quantize", small, "--preset", "sensimix:2+1", "--output", workspace.path("q")])
        let answers = try Program.succeed(["run", workspace.path("q")], input: "a wonderful film .\n")
        #expect(answers.text.hasPrefix("LABEL_"), "\(answers.text)")
    }

    @Test(arguments: [
        (["--keep", "0..6"], "expected some of the layers 0 to 5"),
        (["--keep", "2,1"], "each once and in order, got 2,1"),
        (["--keep", "1,1"], "each once and in order"), (["--keep", "x"], "keep"),
        (["--keep", "3..1"], "keep"),
        (["--keep", "-1"], "keep"),
        (["--keep=\(Int.min)..\(Int.max)"], "keep"),
    ])
    func wrongLayers(_ arguments: [String], _ message: String) throws {
        let workspace = try Workspace()
        let outcome = try Program.bitplan(
            ["drop-layers", Self.bert, "--output", workspace.path("o")] + arguments)
        #expect(outcome.status != 0)
        #expect(outcome.errorLines.count == 1 && outcome.error.contains(message), "\(outcome.error)")
        #expect(try workspace.contents().isEmpty)
    }

    @Test func whatCannotBeDone() throws {
        let workspace = try Workspace()
        let marian = try Program.bitplan(
            ["drop-layers", Fixture.model.path, "--keep", "0", "--output", workspace.path("o")])
        #expect(marian.status == 1 && marian.error.contains("one stack, this is a marian"), "\(marian.error)")
        try workspace.write("mine", to: "full/notes.txt")
        let full = try Program.bitplan([
            "drop-layers", Self.bert, "--keep", "0", "--output", workspace.path("full"),
        ])
        #expect(full.status == 1 && full.error.contains("exists"), "\(full.error)")
        #expect(try workspace.contents().sorted() == ["full", "full/notes.txt"])
        let many = try Program.bitplan(
            ["quantize", Self.bert, "--preset", "sensimix:4+3", "--output", workspace.path("o")])
        #expect(many.status == 1 && many.error.contains("got a bert with 6"), "\(many.error)")
    }
}
