import Foundation
import TestSupport
import Testing

/// Data and places that cannot be used.
@Suite struct BadDataTests {
    private func expectDataRefusal(
        _ source: Data?, _ reference: Data?, naming file: String, saying problem: String
    ) throws {
        let workspace = try Workspace()
        if let source { try workspace.write(source, to: "dev.en") }
        if let reference { try workspace.write(reference, to: "dev.de") }
        try expectRefusal(
            ["sweep", Fixture.model.path, "--fit", "greedy", "--output", workspace.path("table.json")]
                + ["--data", workspace.path("dev.en"), workspace.path("dev.de")],
            in: workspace, saying: [workspace.path(file), problem])
    }

    @Test func missing() throws {
        try expectDataRefusal(nil, Data("a\n".utf8), naming: "dev.en", saying: "no such file")
        try expectDataRefusal(Data("a\n".utf8), nil, naming: "dev.de", saying: "no such file")
    }

    @Test func empty() throws {
        try expectDataRefusal(Data(), Data(), naming: "dev.en", saying: "is empty")
        try expectDataRefusal(Data("a\n".utf8), Data(), naming: "dev.de", saying: "is empty")
    }

    @Test func lengthsThatDiffer() throws {
        try expectDataRefusal(
            Data("One.\nTwo.\nThree.\n".utf8), Data("Eins.\nZwei.\n".utf8), naming: "dev.de",
            saying: "has 2 lines, the source")
    }

    @Test func notUTF8() throws {
        try expectDataRefusal(
            Data("One.\n".utf8) + Data([0xFF, 0xFE, 0x0A]), Data("Eins.\nZwei.\n".utf8), naming: "dev.en",
            saying: "is not UTF-8")
    }

    @Test func sentenceLongerThanThePositions() throws {
        let long = String(repeating: "word ", count: 600)
        try expectDataRefusal(
            Data("One.\n\(long)\n".utf8), Data("Eins.\nZwei.\n".utf8), naming: "dev.en", saying: "line 2 has")
    }

    @Test func sourceAloneNeedsAModelToCompareWith() throws {
        let workspace = try Workspace()
        try expectRefusal(
            ["evaluate", Fixture.model.path, "--data", Fixture.checking[0]], in: workspace,
            saying: [Fixture.checking[0], "has no references", "(--reference)"])
    }

    @Test func presetThatNeedsTextSaysSo() throws {
        let workspace = try Workspace()
        try expectRefusal(
            ["quantize", Fixture.model.path, "--preset", "chung", "--output", workspace.path("packed")],
            in: workspace, saying: ["needs text", "--data"])
        try expectRefusal(
            ["quantize", Fixture.model.path, "--preset", "bcq2", "--fit", "calibrated"]
                + ["--output", workspace.path("packed")],
            in: workspace, saying: ["needs text", "--data"])
    }

    /// Lines are counted from the beginning of standard input, not of the batch.
    @Test func longLineInRun() throws {
        let workspace = try Workspace()
        let input = String(repeating: "Yes.\n", count: 9) + String(repeating: "word ", count: 600) + "\n"
        let outcome = try Program.bitplan(
            ["run", Fixture.model.path, "--batch", "2", "--threads", "2"], input: input)
        #expect(outcome.status != 0)
        #expect(outcome.errorLines.count == 1)
        #expect(outcome.error.contains("standard input: line 10 has 60"), "\(outcome.error)")
        #expect(outcome.error.contains("the model has 512 positions"))
        #expect(outcome.text.split(separator: "\n").count == 9, "what came before is answered")
        #expect(try workspace.contents() == [])
    }

    /// A byte-order mark at the beginning of a line is text, in a line of `run` as in one of a file.
    @Test func byteOrderMarkInRun() throws {
        let workspace = try Workspace()
        let model = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-llama").path
        let line = String(repeating: "b", count: 46)
        try Program.succeed(["run", model, "--max-length", "1"], input: line + "\n")
        // Three bytes, which are tokens here.
        try expectRefusal(
            ["run", model], in: workspace, input: "\u{FEFF}\(line)\n",
            saying: ["standard input: line 1 has 49 tokens: expected 1 to 47"])
    }

    /// Bytes that are no text are not repaired in silence; what came before them is answered.
    @Test func badStandardInputInRun() throws {
        func run(_ script: String) throws -> Outcome {
            try Program.run(
                URL(filePath: "/bin/sh"),
                ["-c", script, try Program.executable().path, Fixture.model.path])
        }
        let broken = try run(#"printf 'Yes.\r\nNo.\n\303\050\nYes.\n' | "$0" run "$1""#)
        #expect(broken.status != 0 && broken.errorLines.count == 1)
        #expect(broken.error.contains("standard input: line 3 is not UTF-8"), "\(broken.error)")
        #expect(broken.text == (try Program.succeed(["run", Fixture.model.path], input: "Yes.\nNo.").text))
        let directory = try run(#""$0" run "$1" < /"#)
        #expect(directory.status != 0 && directory.errorLines.count == 1)
        #expect(
            directory.error.contains("standard input: cannot be read: Is a directory"), "\(directory.error)")
    }

    @Test func outputBelowAFileIsRefused() throws {
        let workspace = try Workspace()
        try workspace.write("text", to: "file")
        try expectRefusal(
            ["quantize", Fixture.model.path, "--preset", "bcq1", "--fit", "greedy"]
                + ["--output", workspace.path("file/packed")],
            in: workspace, saying: [workspace.path("file/packed"), "cannot be written"])
        try expectRefusal(
            Fixture.sweep() + ["--output", workspace.path("file/table.json")], in: workspace,
            saying: [workspace.path("file/table.json"), "cannot be written"])
        try expectRefusal(
            ["plan", try Fixture.table.get().path, "--size", "11x", "--output", workspace.root.path],
            in: workspace,
            saying: [workspace.root.path, "cannot be written"])
    }

    /// A mistyped output must not cost the user's files: only packed models are written over.
    @Test func modelIsNeverWrittenOver() throws {
        let workspace = try Workspace()
        let model = try ModelCopy(in: workspace)
        let arguments = ["quantize", model.path, "--preset", "bcq1", "--fit", "greedy", "--output"]
        try expectRefusal(arguments + [model.path], in: workspace, saying: [model.path, "no packed model"])
        try workspace.write("text", to: "notes/todo.txt")
        try expectRefusal(
            arguments + [workspace.path("notes")], in: workspace,
            saying: [workspace.path("notes"), "no packed model"])
        try expectRefusal(
            arguments + [workspace.path("notes/todo.txt")], in: workspace,
            saying: ["todo.txt", "no packed model"])
        try Program.succeed(arguments + [workspace.path("packed")])
        try Program.succeed(arguments + [workspace.path("packed")])
    }

    /// Directories that were made on the way go again when the rest fails.
    @Test func nothingIsLeftWhereCodingFails() throws {
        let workspace = try Workspace()
        let model = try ModelCopy(in: workspace)
        let huge = [Float](repeating: 1e6, count: 128 * 128)
        try model.setTensor(
            "model.decoder.layers.3.self_attn.q_proj.weight", type: "F32", shape: [128, 128], huge)
        try expectRefusal(
            [
                "quantize", model.path, "--preset", "fp16", "--fit", "greedy", "--output",
                workspace.path("new/deep/packed"),
            ],
            in: workspace, saying: ["FP16 ends at 65504", "model.decoder.layers.3.self_attn.q_proj.weight"])
    }

    /// A tensor of another name, size or type, another version, a constant vector that is none.
    @Test(arguments: [
        ("\"U8\":", "\"V8\":", "tensor 'U8'"), ("\"shape\":[", "\"shape\":[1,", "tensor 'F"),
        ("\"layout_version\":\"2\"", "\"layout_version\":\"3\"", "layout version 3"),
        ("final_logits_bias 0.0", "final_logits_vias 0.0", "no vector 'final_logits_vias'"),
        ("final_logits_bias 0.0", "final_logits_bias 0.x", "expected names and numbers"),
    ])
    func damagedPackedModelIsRefused(_ part: String, _ damage: String, _ problem: String) throws {
        let workspace = try Workspace()
        try Program.succeed(
            [
                "quantize", Fixture.model.path, "--preset", "bcq1", "--fit", "greedy", "--output",
                workspace.path("packed"),
            ])
        var data = try workspace.read("packed/model.safetensors")
        let place = try #require(data.range(of: Data(part.utf8)))
        data.replaceSubrange(place, with: Data(damage.utf8))
        // What is longer takes its room from the spaces behind the header.
        if damage.utf8.count > part.utf8.count {
            let spaces = try #require(data.range(of: Data("}  ".utf8)))
            data.removeSubrange(
                spaces.lowerBound + 1..<spaces.lowerBound + 1 + damage.utf8.count - part.utf8.count)
        }
        try workspace.write(data, to: "packed/model.safetensors")
        try expectRefusal(
            ["run", workspace.path("packed")], in: workspace, input: "Yes.\n",
            saying: [workspace.path("packed/model.safetensors"), problem])
    }
}
