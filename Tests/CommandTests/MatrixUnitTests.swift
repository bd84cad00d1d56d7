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
        #expect(abs(kl - expected) < 1e-4 * expected, "packed products round otherwise")
        let report = try Program.succeed(
            ["report", workspace.path("table.json"), "--plan", workspace.path("plan.json")]
                + ["--output", workspace.path("r.md"), "--html", workspace.path("r.html")])
        #expect(report.status == 0)
        #expect(
            String(decoding: try workspace.read("r.md"), as: UTF8.self).contains("| Dec_dd q_proj "))

        // A plan of matrices is none for a table of sublayers; one of sublayers is one for matrices, too.
        try Program.succeed(sweep + ["--output", workspace.path("sublayers.json")])
        try expectRefusal(
            ["report", workspace.path("sublayers.json"), "--plan", workspace.path("plan.json")]
                + ["--output", workspace.path("none.md")],
            in: workspace, saying: ["names the single matrix", "expected whole sublayers", "--unit matrix"])
        try Program.succeed(
            ["plan", workspace.path("sublayers.json"), "--size", "12x", "--output", workspace.path("p.json")])
        try Program.succeed(
            ["report", workspace.path("table.json"), "--plan", workspace.path("p.json")]
                + ["--output", workspace.path("both.md")])
    }
}
