import Foundation
import TestSupport
import Testing

/// `--unit matrix`: matrices of a sublayer with schemes of their own, from the sweep to the packed model.
@Suite struct MatrixUnitTests {
    private let sweep =
        ["sweep", Fixture.model.path, "--schemes", "bcq2:fp16,bcq4:fp16", "--fit", "greedy", "--limit", "4"]
        + ["--no-groups", "--no-store", "--data"] + Fixture.planning

    @Test func matricesArePlannedPackedAndRun() throws {
        let workspace = try Workspace()
        let swept = try Program.succeed(
            sweep + ["--unit", "matrix", "--output", workspace.path("table.json")])
        #expect(swept.text.contains("| Enc_ee.0.q_proj ") && swept.text.contains("| Dec_ffn.3.fc2 "))
        try Program.succeed(
            ["plan", workspace.path("table.json"), "--size", "12x", "--model", Fixture.model.path]
                + ["--no-store", "--limit", "4", "--effort", "300", "--output", workspace.path("plan.json")]
                + ["--data"] + Fixture.planning)
        let plan = try #require(
            try JSONSerialization.jsonObject(with: workspace.read("plan.json")) as? [String: Any])
        let schemes = try #require(plan["sublayers"] as? [String: String])
        let attention = ["q_proj", "k_proj", "v_proj", "out_proj"]
        #expect(
            (0..<4).contains { depth in
                Set(attention.compactMap { schemes["Dec_dd.\(depth).\($0)"] }).count > 1
            }, "matrices of one sublayer differ: \(schemes)")
        let predicted = try #require(plan["predicted"] as? [String: Any])
        let quantized = try Program.succeed(
            ["quantize", Fixture.model.path, "--plan", workspace.path("plan.json")]
                + ["--output", workspace.path("packed"), "--json"]
        ).object()
        #expect(quantized["bytes"] as? Int == predicted["bytes"] as? Int, "\(quantized)")
        let measured = try #require(plan["measured"] as? [[String: Any]])
        let written = try #require(measured.first { $0["name"] as? String == plan["name"] as? String })
        let evaluated = try Program.succeed(
            ["evaluate", workspace.path("packed"), "--reference", Fixture.model.path, "--limit", "4"]
                + ["--no-own", "--json", "--data"] + Fixture.planning
        ).object()
        let (kl, expected) = (evaluated["kl"] as? Double ?? 0, written["klNats"] as? Double ?? 1)
        #expect(abs(kl - expected) < 4e-4 * expected, "packed products round otherwise")
        let report = ["report", workspace.path("table.json"), "--plan", workspace.path("plan.json")]
        func rendered(_ name: String, _ arguments: [String]) throws -> String {
            try Program.succeed(report + arguments + ["--output", workspace.path(name)])
            return String(decoding: try workspace.read(name), as: UTF8.self)
        }
        let short = try rendered("r.md", ["--html", workspace.path("r.html")])
        let long = try rendered("l.md", ["--matrices", "--html", workspace.path("l.html"), "--name", "r"])
        #expect(try workspace.read("r.html") == workspace.read("l.html"), "a page always has the matrices")
        #expect(short.contains("| Dec_dd   |") && short.contains(" bits |") && short.contains("--matrices"))
        #expect(!short.contains("| Dec_dd.0.q_proj") && !short.contains("| Dec_dd q_proj"))
        #expect(long.contains("| **Dec_dd.0**") && long.contains("KL by matrix"))
        #expect(try Program.succeed(report + ["--matrices", "--name", "r"]).text.contains("| **Dec_dd.0**"))
        for (name, scheme) in schemes where name.hasPrefix("Dec_dd.") {
            let row = long.split(separator: "\n").first { $0.hasPrefix("| \(name) ") }
            #expect(row?.contains(" \(scheme) |") == true, "\(name)")
        }
        let page = String(decoding: try workspace.read("r.html"), as: UTF8.self)
        #expect(page.contains("Bits of every matrix in the plan of the slider"))
        #expect(page.contains("<details><summary>Dec_dd.0: ") && page.contains("<summary>KL by matrix"))

        // A plan of matrices is none for a table of sublayers; one of sublayers is one for matrices, too.
        try Program.succeed(sweep + ["--output", workspace.path("sublayers.json")])
        try expectRefusal(
            ["report", workspace.path("sublayers.json"), "--plan", workspace.path("plan.json")]
                + ["--output", workspace.path("none.md")],
            in: workspace, saying: ["names the single matrix", "expected whole sublayers", "--unit matrix"])
        try expectRefusal(
            ["report", workspace.path("sublayers.json"), "--matrices"], in: workspace,
            saying: ["sublayers.json", "--matrices", "--unit matrix"])
        try Program.succeed(
            ["plan", workspace.path("sublayers.json"), "--size", "12x", "--output", workspace.path("p.json")])
        try Program.succeed(
            ["report", workspace.path("table.json"), "--plan", workspace.path("p.json")]
                + ["--output", workspace.path("both.md")])
    }

    /// A table of proxies has a cell for every matrix, too: what was not measured says so.
    @Test func proxiesOfMatrices() throws {
        let workspace = try Workspace()
        let table = workspace.path("proxy.json")
        try Program.succeed(sweep + ["--unit", "matrix", "--signal", "weight", "--output", table])
        let long = try Program.succeed(["report", table, "--matrices"]).text
        #expect(long.contains("Squared weight error by matrix") && long.contains("| Dec_ffn.3.fc2 "))
        let short = try Program.succeed(["report", table]).text
        #expect(short.contains("Squared weight error by sublayer") && !short.contains("Dec_ffn.3.fc2"))
    }

    /// The matrices of a sublayer are folded; the line that opens them takes the focus of a keyboard and says
    /// what it opens.
    @Test(.enabled(if: Browser.executable != nil, "no Chromium in PATH (Debian: apt-get install chromium)"))
    func matricesUnfold() throws {
        let workspace = try Workspace()
        let (table, plan) = (workspace.path("t.json"), workspace.path("p.json"))
        try Program.succeed(sweep + ["--unit", "matrix", "--output", table])
        try Program.succeed(["plan", table, "--size", "12x", "--output", plan])
        try Program.succeed(["report", table, "--plan", plan, "--html", workspace.path("r.html")])
        let script = """
            <script>
            addEventListener("load", () => {
              const lines = [...document.querySelectorAll("#plan ~ details > summary")];
              const line = lines.find(each => each.textContent.startsWith("Dec_dd.0: "));
              const cell = line.parentElement.querySelector("tbody th");
              const isShown = () => cell.checkVisibility();
              const before = isShown();
              line.focus();
              const focused = document.activeElement === line && line.tabIndex === 0;
              line.click();
              const text = [lines.length, before, focused, isShown(), cell.textContent].join(" ");
              document.body.innerHTML = "<p id=out>" + text + ";</p>";
            });
            </script>
            """
        let page = String(decoding: try workspace.read("r.html"), as: UTF8.self)
        let driven = page.replacingOccurrences(of: "</body>", with: script + "\n</body>")
        let document = try Browser.document(try workspace.write(driven, to: "driven.html"))
        let shown = document.components(separatedBy: "id=\"out\">").last?.prefix { $0 != ";" }
        // 12 attentions and 8 feed-forwards.
        #expect(shown == "20 false true true Dec_dd.0.q_proj", "\(document.suffix(300))")
    }
}
