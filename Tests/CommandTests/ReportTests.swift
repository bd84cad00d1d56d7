import Foundation
import TestSupport
import Testing

/// Reports, frontiers and exports: what the commands write.
@Suite struct ReportTests {
    private static let table = TestFiles.root.appending(path: "Reports/demo.sensitivity.json").path
    private static let plan = TestFiles.root.appending(path: "Plans/demo.plan.json").path

    @Test func reportRefersToThePicturesBesideIt() throws {
        let workspace = try Workspace()
        try Program.succeed(
            ["report", Self.table, "--plan", Self.plan, "--output", workspace.path("r/small.md")])
        let text = String(decoding: try workspace.read("r/small.md"), as: UTF8.self)
        for kind in ["sensitivity", "frontier", "bits"] {
            #expect(text.contains("](small.\(kind).svg)"))
            let picture = String(decoding: try workspace.read("r/small.\(kind).svg"), as: UTF8.self)
            #expect(
                picture.hasPrefix("<svg ") && picture.hasSuffix("</svg>\n") && !picture.contains("<script"))
        }
        // Printed, there is nothing beside it.
        let printed = try Program.succeed(["report", Self.table, "--plan", Self.plan, "--name", "small"])
        #expect(!printed.text.contains(".svg"))
        #expect(
            printed.text
                == text.split(separator: "\n", omittingEmptySubsequences: false).reduce(into: [Substring]()) {
                    lines, line in
                    if line.hasPrefix("![") { return }
                    // The blank line after a picture goes with it.
                    if line.isEmpty, lines.last?.isEmpty == true { return }
                    lines.append(line)
                }.joined(separator: "\n"))
    }

    /// What `make demo` left is what the report renders from its files.
    @Test func demoIsRenderedFromItsFiles() throws {
        let comparison = TestFiles.root.appending(path: "Reports/demo.comparison.json").path
        let workspace = try Workspace()
        try Program.succeed(
            ["report", Self.table, "--plan", Self.plan, "--comparison", comparison]
                + ["--output", workspace.path("demo.md"), "--html", workspace.path("demo.html")])
        for name in [
            "demo.md", "demo.html", "demo.sensitivity.svg", "demo.frontier.svg", "demo.bits.svg",
        ] {
            let kept = try Data(contentsOf: TestFiles.root.appending(path: "Reports/\(name)"))
            #expect(try workspace.read(name) == kept, "\(name): run make demo")
        }
    }

    /// Alone, beside the Markdown, and with any number of threads: the same page.
    @Test func pageOfHTML() throws {
        let workspace = try Workspace()
        let arguments = ["report", Self.table, "--plan", Self.plan]
        let alone = try Program.succeed(arguments + ["--html", workspace.path("small.html")])
        #expect(alone.output.isEmpty)
        #expect(try workspace.contents() == ["small.html"])
        let page = try workspace.read("small.html")
        try Program.succeed(
            arguments + ["--html", workspace.path("b/small.html"), "--output", workspace.path("b/small.md")])
        #expect(try workspace.read("b/small.html") == page)
        #expect(try workspace.read("b/small.md").starts(with: Data("# small\n".utf8)))
        #expect(page.count < 1_000_000 && String(decoding: page, as: UTF8.self).contains("<title>small<"))
    }

    @Test func frontierAsJSONAndMarkdown() throws {
        let workspace = try Workspace()
        let arguments = ["frontier", Self.table, "--plan", Self.plan, "--at", "10x", "1MB"]
        let object = try Program.succeed(arguments + ["--json", "--output", workspace.path("f.json")])
            .object()
        #expect(try workspace.read("f.json") == Program.succeed(arguments + ["--json"]).output)
        let points = try #require(object["points"] as? [[String: Any]])
        let bytes = points.compactMap { $0["bytes"] as? Int }
        let losses = points.compactMap { $0["klNats"] as? Double }
        #expect(bytes.count == points.count && bytes == bytes.sorted() && losses == losses.sorted(by: >))
        #expect(object["extent"] as? String == "complete" && object["knee"] is Int)
        let prices = try #require(object["prices"] as? [String: Any])
        #expect((prices["sublayers"] as? [Any])?.count == 22)
        let printed = try Program.succeed(arguments + ["--output", workspace.path("f.md")])
        let text = String(decoding: try workspace.read("f.md"), as: UTF8.self)
        #expect(text.contains("](f.svg)") && text.hasSuffix(printed.text.dropLast()))
        #expect(try workspace.contents() == ["f.json", "f.md", "f.svg"])
        for row in ["| knee ", "| uniform bcq2:fp16 ", "| optimum at 1000000 ", "| preset chung "] {
            #expect(text.contains(row), "\(row)")
        }
    }

    @Test func whatIsRefused() throws {
        let workspace = try Workspace()
        try expectRefusal(
            ["frontier", Self.table, "--at", "100kB"], in: workspace,
            saying: ["100000", "smallest", "357266"])
        var other = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: Self.plan)))
                as? [String: Any])
        other["model"] = ["type": "marian", "sha256": String(repeating: "0", count: 64)]
        try workspace.write(try JSONSerialization.data(withJSONObject: other), to: "other.json")
        try expectRefusal(
            ["report", Self.table, "--html", Self.table], in: workspace, saying: ["demo.sensitivity.json"])
        try expectRefusal(
            ["report", Self.table, "--plan", workspace.path("other.json")]
                + ["--html", workspace.path("o.html")], in: workspace,
            saying: ["other.json", "another model"])
        let twice = workspace.path("twice")
        let outcome = try Program.bitplan(["report", Self.table, "--html", twice, "--output", twice])
        #expect(outcome.status == 64 && outcome.error.contains("--output and --html name the same file"))
        for command in ["report", "frontier"] {
            try expectRefusal(
                [command, Self.table, "--plan", workspace.path("other.json")], in: workspace,
                saying: ["other.json", "another model"])
        }
        try workspace.write(
            #"{"schemaVersion": 2, "metric": "", "sentences": 1, "isHeldOut": true, "rows": []}"#,
            to: "c.json")
        try expectRefusal(
            ["report", Self.table, "--comparison", workspace.path("c.json")], in: workspace,
            saying: ["c.json", "schemaVersion 2"])
        try expectRefusal(
            ["export", Self.plan, "--to", "llama.cpp", "--model", Fixture.model.path], in: workspace,
            saying: ["demo.plan.json", "'marian'", "llama.cpp"])
        try expectRefusal(
            ["export", Self.plan, "--to", "compressed-tensors", "--model", Fixture.model.path], in: workspace,
            saying: ["'Emb'", "tcq4", "compressed-tensors", "--nearest"])
        try expectRefusal(
            ["export", Self.plan, "--to", "hqq"], in: workspace, saying: ["--model", "--sweep"])
        try expectRefusal(
            ["export", workspace.path("other.json"), "--to", "hqq", "--model", Fixture.model.path],
            in: workspace,
            saying: ["other.json", "another model"])
    }

    /// From the model, from the table, and from the packed model: the same file.
    @Test func exportNamesTheTensorsOfTheModel() throws {
        let workspace = try Workspace()
        let arguments = ["--to", "compressed-tensors", "--nearest"]
        let fromModel = try Program.succeed(["export", Self.plan, "--model", Fixture.model.path] + arguments)
        #expect(
            try Program.succeed(["export", Self.plan, "--sweep", Self.table] + arguments).output
                == fromModel.output)
        try Program.succeed(
            [
                "quantize", Fixture.model.path, "--plan", Self.plan, "--output", workspace.path("packed"),
                "--data",
            ]
                + Fixture.planning)
        #expect(
            try Program.succeed(["export", workspace.path("packed")] + arguments).output == fromModel.output)
        #expect(
            fromModel.errorLines.count >= 3
                && fromModel.errorLines.allSatisfy { $0.hasPrefix("bitplan: note: ") })
        let object = try fromModel.object()
        let configuration = try #require(object["quantization_config"] as? [String: Any])
        let groups = try #require(configuration["config_groups"] as? [String: [String: Any]])
        let targets = groups.values.flatMap { $0["targets"] as? [String] ?? [] }
        // 12 attentions of 4 matrices, 8 feed-forwards of 2.
        #expect(targets.count == 12 * 4 + 8 * 2 && Set(targets).count == targets.count)
        let result = try Program.succeed(
            ["export", Self.plan, "--sweep", Self.table, "--json", "--output", workspace.path("x.json")]
                + arguments)
        #expect(try workspace.read("x.json") == fromModel.output)
        #expect((try result.object()["settings"] as? [Any])?.count == targets.count + 1)
    }
}
