import Foundation
import TestSupport
import Testing

/// Packed directories: what lies on disk, and what others read of it.
@Suite struct QuantizeTests {
    /// Bytes of the file and of its header, the length included.
    private func sizes(_ file: URL) throws -> (file: Int, header: Int) {
        let data = try Data(contentsOf: file)
        return (
            data.count, 8 + data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        )
    }

    private func planInside(_ packed: URL) throws -> [String: Any] {
        let data = try Data(contentsOf: packed.appending(path: "config.json"))
        let settings = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let quantization = try #require(settings["quantization_config"] as? [String: Any])
        #expect(quantization["quant_method"] as? String == "bitplan")
        return try #require(quantization["plan"] as? [String: Any])
    }

    @Test(arguments: [
        "bcq3", "bcq2:g64:fp16", "int4:g64", "nf4:dq", "pq:b8:k256", "index8", "w8a8", "fp16", "fp32",
    ])
    func fileIsThePlanAndItsHeader(_ scheme: String) throws {
        let workspace = try Workspace()
        let packed = workspace.file("packed")
        let outcome = try Program.succeed(
            [
                "quantize", Fixture.model.path, "--preset", scheme, "--fit", "greedy", "--output",
                packed.path, "--json",
            ])
        let bytes = try #require(try outcome.object()["bytes"] as? Int)
        let predicted = try #require(try planInside(packed)["predicted"] as? [String: Any])
        #expect(predicted["bytes"] as? Int == bytes)
        let sizes = try sizes(packed.appending(path: "model.safetensors"))
        #expect(sizes.file == bytes, "the header counts")
        #expect(sizes.header % 64 == 0 && sizes.header <= 640, "the data are aligned")
        // A constant vector of 4,001 numbers is not stored.
        if scheme == "fp32" { #expect(bytes == Fixture.fullPrecisionBytes + sizes.header - 4 * 4001) }
        #expect(try workspace.contents().allSatisfy { !$0.contains(".part") })
        let answers = try Program.succeed(["run", packed.path], input: "Tom is a doctor.\nYes.\n")
        #expect(answers.text.split(separator: "\n", omittingEmptySubsequences: false).count == 3)
    }

    @Test func sameBytesOnRepeat() throws {
        let workspace = try Workspace()
        for name in ["one", "two"] {
            try Program.succeed(
                [
                    "quantize", Fixture.model.path, "--preset", "bcq2", "--output", workspace.path(name),
                    "--limit", "20",
                ]
                    + ["--data"] + Fixture.planning)
        }
        for file in ["model.safetensors", "config.json", "vocab.json", "source.spm"] {
            #expect(try workspace.read("one/\(file)") == workspace.read("two/\(file)"), "\(file)")
        }
        #expect(try planInside(workspace.file("one"))["fit"] as? String == "curvature", "there is text")
    }

    @Test func planWrittenByHand() throws {
        let workspace = try Workspace()
        try workspace.write(
            try Fixture.plan([
                "*": "bcq3", "Enc_ffn.*": "int4:g64", "Dec_dd": "nf4", "Enc_ffn.2": "fp16", "Emb": "bcq4",
                "Dec_ed.1.q_proj": "bcq1",
            ]),
            to: "plan.json")
        let outcome = try Program.succeed(
            [
                "quantize", Fixture.model.path, "--plan", workspace.path("plan.json"), "--output",
                workspace.path("packed"),
            ]
                + ["--json"])
        let bytes = try #require(try outcome.object()["bytes"] as? Int)
        let sizes = try sizes(workspace.file("packed/model.safetensors"))
        #expect(sizes.file == bytes)
        let contents = try Program.succeed(["inspect", workspace.path("packed"), "--json"]).object()
        #expect(contents["bytes"] as? Int == bytes)
        let parts = try #require(contents["parts"] as? [[String: Any]])
        let names = parts.compactMap { $0["name"] as? String }
        let files = try #require(contents["files"] as? [String: Int])
        #expect(files["model.safetensors"] == bytes)
        #expect(contents["directoryBytes"] as? Int == files.values.reduce(0, +))
        for name in [
            "model.encoder.layers.1.fc1.weight.codes", "model.encoder.layers.2.fc1.weight.weights",
            "model.decoder.layers.0.self_attn.q_proj.weight.scales",
            "model.decoder.layers.0.fc1.weight.alphas",
        ] { #expect(names.contains(name), "\(name)") }
        // One matrix of a sublayer may have a scheme of its own.
        for (matrix, bits) in [("q_proj", 1), ("k_proj", 3)] {
            let signs = parts.first {
                $0["name"] as? String == "model.decoder.layers.1.encoder_attn.\(matrix).weight.signs"
            }
            #expect((signs?["shape"] as? [Int])?.first == bits, "\(matrix)")
        }
        #expect(try !Program.succeed(["run", workspace.path("packed")], input: "Yes.\n").text.isEmpty)
    }

    @Test func chungByName() throws {
        let workspace = try Workspace()
        try Program.succeed(
            ["quantize", Fixture.model.path, "--preset", "chung", "--fit", "greedy"]
                + ["--output", workspace.path("packed"), "--limit", "20", "--data"] + Fixture.planning)
        let schemes = try #require(try planInside(workspace.file("packed"))["sublayers"] as? [String: String])
        #expect(schemes["Emb"] == "emb4:r1")
        #expect(
            schemes["Enc_ee.0"] == "bcq3" && schemes["Enc_ffn.3"] == "bcq4" && schemes["Dec_dd.1"] == "bcq2")
        #expect(schemes["Dec_ed.2"] == "bcq3" && schemes["Dec_ffn.0"] == "bcq1")
        #expect(schemes["Vectors"] == "fp32" && schemes.count == 22, "as the paper counts them")
    }

    @Test func packedModelIsNotQuantizedAgain() throws {
        let workspace = try Workspace()
        try Program.succeed(
            [
                "quantize", Fixture.model.path, "--preset", "bcq4", "--fit", "greedy", "--output",
                workspace.path("packed"),
            ])
        try expectRefusal(
            ["quantize", workspace.path("packed"), "--preset", "bcq2", "--output", workspace.path("again")],
            in: workspace, saying: [workspace.path("packed/model.safetensors"), "model.shared.weight"])
    }

    /// Stored codes lie beside a model with their own plan, and nothing but quantize takes them.
    @Test func storedCodesAreRefusedElsewhere() throws {
        let workspace = try Workspace()
        let output = ["--fit", "stored", "--output", workspace.path("packed")]
        let quantize = ["quantize", Fixture.model.path] + output
        try expectRefusal(quantize, in: workspace, saying: ["codes.safetensors", "no such file"])
        for more in [["--preset", "bcq2"], ["--plan", "plan.json"], ["--data"] + Fixture.planning] {
            try expectRefusal(
                quantize + more, in: workspace, saying: ["--fit stored", "no --plan, --preset and --data"])
        }
        let data = ["--data"] + Fixture.planning
        try expectRefusal(
            ["tune", Fixture.model.path, "--preset", "bcq2", "--steps", "1"] + output + data, in: workspace,
            saying: ["--fit stored", "only quantize"])
        try expectRefusal(
            ["sweep", Fixture.model.path, "--fit", "stored"] + data, in: workspace,
            saying: ["--fit", "got stored", "only quantize"])
        try workspace.write(
            try Fixture.plan(["*": "bcq2"], more: ["fit": "stored"]), to: "plan.json")
        try expectRefusal(
            ["tune", Fixture.model.path, "--plan", workspace.path("plan.json"), "--steps", "1", "--no-store"]
                + ["--output", workspace.path("packed")] + data, in: workspace,
            saying: ["only quantize takes them"])
    }

    /// Python's safetensors and jsonschema agree with what was written.
    @Test(.enabled(if: Program.python != nil, "needs BITPLAN_PYTHON, which `make test` sets"))
    func pythonReadsPackedModels() throws {
        let python = URL(filePath: try #require(Program.python))
        let script = TestFiles.root.appending(path: "Scripts/check_packed.py").path
        let workspace = try Workspace()
        var packed: [String] = []
        for scheme in [
            "bcq3:fp16", "int4:g64:asym", "nf4:dq", "pq:b8:k16:int8", "sign:mean", "bitlinear:4", "w8a8",
        ] {
            packed.append(workspace.path(scheme))
            try Program.succeed(
                [
                    "quantize", Fixture.model.path, "--preset", scheme, "--fit", "greedy", "--output",
                    workspace.path(scheme),
                ])
        }
        try workspace.write(try Fixture.plan(["*": "bcq3", "Emb": "emb3:r2"]), to: "plan.json")
        packed.append(workspace.path("hand"))
        try Program.succeed(
            [
                "quantize", Fixture.model.path, "--plan", workspace.path("plan.json"), "--output",
                workspace.path("hand"),
            ]
                + ["--limit", "10", "--data"] + Fixture.planning)
        let outcome = try Program.run(python, [script] + packed)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.text.split(separator: "\n").count == packed.count)

        // It does find what is wrong: a byte too many, and a plan that predicts other bytes.
        let file = "hand/model.safetensors"
        try workspace.write(try workspace.read(file) + Data([0]), to: file)
        #expect(try Program.run(python, [script, workspace.path("hand")]).status != 0)
        let config = try String(decoding: workspace.read("w8a8/config.json"), as: UTF8.self)
        try workspace.write(
            config.replacingOccurrences(of: "\"bytes\" : ", with: "\"bytes\" : 1"), to: "w8a8/config.json")
        let differing = try Program.run(python, [script, workspace.path("w8a8")])
        #expect(
            differing.status != 0 && differing.error.contains("the plan predicts 1"), "\(differing.error)")
    }

    @Test(.enabled(if: Program.python != nil, "needs BITPLAN_PYTHON, which `make test` sets"))
    func pythonValidatesPlans() throws {
        let python = URL(filePath: try #require(Program.python))
        let script = TestFiles.root.appending(path: "Scripts/check_packed.py").path
        let workspace = try Workspace()
        let table = try Fixture.table.get().path
        try Program.succeed(["plan", table, "--size", "11x", "--output", workspace.path("additive.json")])
        try Program.succeed(
            ["plan", table, "--size", "11x", "--model", Fixture.model.path, "--effort", "0", "--limit", "5"]
                + ["--output", workspace.path("measured.json"), "--data"] + Fixture.planning)
        try workspace.write(try Fixture.plan(["*": "bcq3", "Enc_ffn.*": "int4:g64"]), to: "hand.json")
        let good = [
            workspace.path("additive.json"), workspace.path("measured.json"), workspace.path("hand.json"),
            TestFiles.root.appending(path: "Plans/demo.plan.json").path,
        ]
        let outcome = try Program.run(python, [script, "--plans"] + good)
        #expect(outcome.status == 0, "\(outcome.error)")
        for (name, sublayers, more) in [
            ("scheme", ["*": "bcq9"], [:] as [String: Any]), ("key", ["*": "bcq2"], ["sublayer": 1]),
            ("version", ["*": "bcq2"], ["schemaVersion": 2]), ("none", [:], [:]),
            ("depth", ["Enc.x": "bcq2"], [:]),
            ("fit", ["*": "bcq2"], ["fit": "magic"]), ("model", ["*": "bcq2"], ["model": ["type": "marian"]]),
        ] {
            try workspace.write(try Fixture.plan(sublayers, more: more), to: "\(name).json")
            #expect(
                try Program.run(python, [script, "--plans", workspace.path("\(name).json")]).status != 0,
                "\(name)")
        }
    }
}
