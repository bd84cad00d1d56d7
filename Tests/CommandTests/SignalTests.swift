import Foundation
import TestSupport
import Testing

/// Tables of proxies: cheap to make, marked as such, and never believed without measuring.
@Suite struct SignalTests {
    private func sweep(_ signal: String, in workspace: Workspace) throws -> Outcome {
        try Program.succeed(
            Fixture.sweep() + ["--signal", signal, "--output", workspace.path("\(signal).json")])
    }

    @Test(arguments: ["weight", "output", "fisher"])
    func tableSaysWhatItCarries(_ signal: String) throws {
        let workspace = try Workspace()
        let printed = try sweep(signal, in: workspace).text
        #expect(printed.contains("not measured") && !printed.contains("KL(full precision"))
        let data = try workspace.read("\(signal).json")
        let table = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(table["proxy"] as? String == signal)
        let report = try Program.succeed(["report", workspace.path("\(signal).json")])
        #expect(report.text.contains("not measured") && !report.text.contains("Frontier"))
        try expectRefusal(
            ["plan", workspace.path("\(signal).json"), "--size", "11x"], in: workspace,
            saying: ["\(signal).json", "'\(signal)'", "--model and --data"])
    }

    /// The plan is measured beside uniform ones, whatever its first idea came from.
    @Test func planFromAProxyIsMeasured() throws {
        let workspace = try Workspace()
        _ = try sweep("fisher", in: workspace)
        let plan = try Program.succeed(
            [
                "plan", workspace.path("fisher.json"), "--size", "10x", "--model", Fixture.model.path,
                "--effort", "60",
            ]
                + ["--json", "--limit", "10", "--data"] + Fixture.planning
        ).object()
        let measured = try #require(plan["measured"] as? [[String: Any]])
        #expect(
            measured.count >= 2 && measured.contains { ($0["name"] as? String)?.hasPrefix("uniform") == true }
        )
        let written = try #require(measured.first { $0["name"] as? String == plan["name"] as? String })
        let best = measured.compactMap { $0["klNats"] as? Double }.min()
        #expect(written["klNats"] as? Double == best)
    }

    /// Tables from before there were proxies say nothing of them.
    @Test func measuredTablesAreAsBefore() throws {
        let data = try Data(contentsOf: URL(filePath: try Fixture.table.get().path))
        let table = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(table["proxy"] == nil)
    }
}
