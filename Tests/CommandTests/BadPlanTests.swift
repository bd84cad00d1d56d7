import Foundation
import TestSupport
import Testing

/// Plans and sizes that cannot be followed.
@Suite struct BadPlanTests {
    /// A plan's text made from the identity, the line's parts.
    static let plans:
        [(name: String, sublayers: [String: String], more: [String: any Sendable], problem: String)] = [
            (
                "other model", ["*": "bcq2"],
                ["model": ["type": "marian", "sha256": String(repeating: "0", count: 64)]],
                "is for another model"
            ),
            ("unknown scheme", ["*": "bcq9"], [:], "at 'sublayers.*': no scheme is called 'bcq9'"),
            ("scheme that is a number", [:], ["sublayers": ["*": 3]], "at 'sublayers.*': expected a string"),
            ("unknown sublayer", ["*": "bcq2", "Enc_xx.0": "bcq2"], [:], "names sublayer 'Enc_xx.0'"),
            ("layer beyond the last", ["*": "bcq2", "Enc_ee.4": "bcq2"], [:], "names sublayer 'Enc_ee.4'"),
            (
                "missing sublayer", ["Emb": "bcq2", "Enc_ee": "bcq2", "Enc_ffn": "bcq2"], [:],
                "says nothing of sublayer 'Dec_dd.0'"
            ),
            ("unknown key", ["*": "bcq2"], ["sublayer": ["Emb": "bcq2"]], "unknown key 'sublayer'"),
            (
                "wrong version", ["*": "bcq2"], ["schemaVersion": 2],
                "schemaVersion 2 is not supported, expected 1"
            ),
            ("unknown fit", ["*": "bcq2"], ["fit": "magic"], "at 'fit'"),
            ("no model", ["*": "bcq2"], ["model": "marian"], "at 'model'"),
        ]

    @Test(arguments: plans.indices)
    func planIsRefused(_ index: Int) throws {
        let (_, sublayers, more, problem) = Self.plans[index]
        let workspace = try Workspace()
        try workspace.write(try Fixture.plan(sublayers, more: more), to: "plan.json")
        try expectRefusal(
            [
                "quantize", Fixture.model.path, "--plan", workspace.path("plan.json"), "--output",
                workspace.path("packed"),
            ],
            in: workspace, saying: [workspace.path("plan.json"), problem])
    }

    @Test func planFileItselfIsRefused() throws {
        let workspace = try Workspace()
        try workspace.write("{\"model\": ", to: "broken.json")
        for (file, problem) in [("broken.json", "JSON"), ("none.json", "no such file")] {
            try expectRefusal(
                [
                    "quantize", Fixture.model.path, "--plan", workspace.path(file), "--output",
                    workspace.path("packed"),
                ],
                in: workspace, saying: [workspace.path(file), problem])
        }
    }

    @Test func tableOfAnotherModelIsRefused() throws {
        let workspace = try Workspace()
        let table = try String(contentsOfFile: try Fixture.table.get().path, encoding: .utf8)
        let sha = try #require(try Fixture.identity.get()["sha256"])
        try workspace.write(
            table.replacingOccurrences(of: sha, with: String(repeating: "a", count: 64)), to: "table.json")
        try expectRefusal(
            [
                "plan", workspace.path("table.json"), "--size", "11x", "--model", Fixture.model.path,
                "--limit", "2",
            ]
                + ["--output", workspace.path("plan.json"), "--data"] + Fixture.planning,
            in: workspace, saying: [workspace.path("table.json"), "is for another model"])
    }

    /// A sensitivity table with one thing wrong: refused by what plans with it and by what prints it.
    @Test(arguments: [
        ("version", "schemaVersion 1 is not supported, expected 2"),
        ("cell", "has no cell for 'Emb' under bcq2"),
        ("type", "has no cell for 'Enc' under bcq2"), ("candidates", "has no candidates"),
        ("size", "matrix 'model.shared.weight': expected sizes"),
        ("depth", "sublayer 'Enc_ee.70000' is deeper"),
        ("stranger", "has cells for 'Nothing'"), ("loss", "at 'bySublayer"),
        ("layout", "'layout' is missing"),
        ("sublayers", "has 0 sublayers"),
    ])
    func damagedTableIsRefused(_ damage: String, _ problem: String) throws {
        let workspace = try Workspace()
        let data = try Data(contentsOf: URL(filePath: try Fixture.table.get().path))
        var table = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        var cells = try #require(table["bySublayer"] as? [[String: Any]])
        var layout = try #require(table["layout"] as? [String: Any])
        var sublayers = try #require(layout["sublayers"] as? [[String: Any]])
        switch damage {
        case "version": table["schemaVersion"] = 1
        case "cell": cells.removeFirst()
        case "type":
            table["byType"] = (table["byType"] as? [[String: Any]])?.filter { $0["row"] as? String != "Enc" }
        case "candidates": table["candidates"] = [String]()
        case "size":
            sublayers[0]["matrices"] = [
                ["tensor": "model.shared.weight", "rows": 1 << 60, "columns": 1 << 60]
            ]
        case "depth": sublayers[1]["name"] = "Enc_ee.70000"
        case "stranger": cells[0]["row"] = "Nothing"; cells.append(cells[0]); cells[0]["row"] = "Emb"
        case "loss": cells[0]["measurement"] = ["klNats": "much"]
        case "sublayers": sublayers = []
        default: break
        }
        layout["sublayers"] = sublayers
        table["layout"] = damage == "layout" ? nil : layout
        table["bySublayer"] = cells
        try workspace.write(try JSONSerialization.data(withJSONObject: table), to: "table.json")
        try expectRefusal(
            ["plan", workspace.path("table.json"), "--size", "11x", "--output", workspace.path("plan.json")],
            in: workspace, saying: [workspace.path("table.json"), problem])
        try expectRefusal(
            ["report", workspace.path("table.json"), "--output", workspace.path("report.md")],
            in: workspace, saying: [workspace.path("table.json"), problem])
    }

    @Test(arguments: ["0", "0MB", "20 MB", "20XB", "-3MB", "nanMB", "infx", "1e3MB", "MB", "", "20"])
    func sizeIsRefused(_ size: String) throws {
        let workspace = try Workspace()
        try expectRefusal(
            ["plan", try Fixture.table.get().path, "--size", size, "--output", workspace.path("plan.json")],
            in: workspace, saying: ["--size", "'\(size)'", "expected a size above 0 such as 20MB"])
    }

    @Test(arguments: [
        (["quantize", "M"], "--output"),
        (["quantize", "M", "--output", "x"], "expected one of --plan and --preset"),
        (
            ["quantize", "M", "--output", "x", "--preset", "bcq2", "--plan", "p"],
            "expected one of --plan and --preset"
        ),
        (["quantize", "M", "--output", "x", "--preset", "bcq9"], "no preset or scheme is called 'bcq9'"),
        (["quantize", "M", "--output", "x", "--preset", "chung:0"], "chung:R"),
        (["quantize", "M", "--output", "x", "--preset", "bcq2", "--fit", "magic"], "magic"),
        (["sweep", "M", "--schemes", "bcq2,nothing", "--data", "a", "b"], "bcq2,nothing"),
        (["sweep", "M"], "--data"), (["evaluate", "M", "--data", "a", "b", "--limit", "0"], "--limit"),
        (["evaluate", "M", "--data", "a", "b", "--threads", "0"], "--threads"),
        (["frobnicate"], "frobnicate"),
        (["inspect", "M", "--frobnicate"], "--frobnicate"),
    ])
    func usageIsOneLine(_ arguments: [String], _ problem: String) throws {
        let workspace = try Workspace()
        try expectRefusal(
            arguments.map { $0 == "M" ? Fixture.model.path : $0 == "x" ? workspace.path("packed") : $0 },
            in: workspace, saying: [problem])
    }

    @Test func limitsBelowOneAreRefused() throws {
        let workspace = try Workspace()
        for limit in ["0", "-1"] {
            try expectRefusal(
                ["quantize", Fixture.model.path, "--preset", "bcq2", "--output", workspace.path("packed")]
                    + ["--limit=\(limit)", "--data"] + Fixture.planning,
                in: workspace, saying: ["limit", limit])
        }
    }

    @Test func helpIsNoError() throws {
        for arguments in [["--help"], ["plan", "--help"], ["--version"], []] {
            let outcome = try Program.bitplan(arguments)
            #expect(outcome.status == 0 && outcome.error.isEmpty && !outcome.output.isEmpty)
        }
    }
}
