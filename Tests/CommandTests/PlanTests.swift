import Foundation
import TestSupport
import Testing

/// Sweep, plan and report: what is written is a function of the input alone.
@Suite struct PlanTests {
    @Test func sweepDoesNotDependOnThreads() throws {
        let workspace = try Workspace()
        try Program.succeed(Fixture.sweep(threads: 1) + ["--output", workspace.path("one.json")])
        #expect(
            try workspace.read("one.json") == Data(contentsOf: URL(filePath: try Fixture.table.get().path)))
    }

    @Test func sweepPrintsWhatItWrites() throws {
        let outcome = try Program.succeed(Fixture.sweep() + ["--json"])
        #expect(try outcome.output == Data(contentsOf: URL(filePath: try Fixture.table.get().path)))
        let cells = try #require(try outcome.object()["bySublayer"] as? [[String: Any]])
        #expect(cells.count == 22 * 2, "vectors have two cells too")
    }

    @Test func identityLosesNothingAnywhere() throws {
        let object = try Program.succeed(Fixture.sweep(schemes: "fp32") + ["--json"]).object()
        for rows in ["byType", "bySublayer"] {
            let cells = try #require(object[rows] as? [[String: Any]])
            #expect(cells.count == (rows == "byType" ? 8 : 21 + 2))
            for cell in cells where cell["scheme"] as? String == "fp32" {
                let measurement = try #require(cell["measurement"] as? [String: Any])
                #expect(measurement["klNats"] as? Double == 0, "\(cell["row"] ?? "")")
            }
        }
    }

    @Test func additivePlanIsTheSameOnRepeat() throws {
        let arguments = ["plan", try Fixture.table.get().path, "--size", "11x", "--json"]
        let first = try Program.succeed(arguments)
        #expect(try Program.succeed(arguments).output == first.output)
        let plan = try first.object()
        let predicted = try #require(plan["predicted"] as? [String: Any])
        #expect(try #require(predicted["bytes"] as? Int) <= Fixture.fullPrecisionBytes / 11)
        #expect((plan["certificate"] as? [String: Any])?["status"] as? String == "optimal")
        #expect((plan["sublayers"] as? [String: String])?.count == 22)
    }

    @Test func measuredPlanDoesNotDependOnThreads() throws {
        let workspace = try Workspace()
        func plan(_ name: String, threads: Int) throws -> Data {
            let printed = try Program.succeed(
                ["plan", try Fixture.table.get().path, "--size", "11x", "--model", Fixture.model.path]
                    + ["--effort", "60", "--limit", "10", "--threads", "\(threads)"]
                    + ["--output", workspace.path(name), "--data"] + Fixture.planning)
            #expect(printed.text.contains("Its KL on the 10 items that it was planned on: "))
            #expect(printed.text.contains(", 95% interval ") && !printed.text.contains("not measured"))
            return try workspace.read(name)
        }
        let one = try plan("one.json", threads: 1)
        #expect(try plan("two.json", threads: 2) == one)
        #expect(try plan("two.json", threads: 2) == one, "on repeat, over the file that is there")
        let object = try #require(try JSONSerialization.jsonObject(with: one) as? [String: Any])
        let measured = try #require(object["measured"] as? [[String: Any]])
        let losses = measured.compactMap { $0["klNats"] as? Double }
        #expect(losses.count >= 2 && losses == losses.sorted(), "best first")
        func value(_ name: String, _ key: String) throws -> Double {
            let plan = try #require(measured.first { $0["name"] as? String == name }, "\(name)")
            return try #require(plan[key] as? Double)
        }
        let written = try #require(object["name"] as? String)
        #expect(try value(written, "klNats") <= value("uniform bcq2", "klNats"))
        #expect(try value(written, "metric") >= value("uniform bcq2", "metric"))
    }

    @Test func reportIsTheSameOnRepeat() throws {
        let workspace = try Workspace()
        let table = try Fixture.table.get().path
        let planned = try Program.succeed(
            ["plan", table, "--size", "11x", "--output", workspace.path("plan.json")])
        let arguments = ["report", table, "--plan", workspace.path("plan.json")]
        let first = try Program.succeed(arguments)
        try Program.succeed(arguments + ["--output", workspace.path("reports/report.md")])
        let written = try workspace.read("reports/report.md")
        try Program.succeed(arguments + ["--output", workspace.path("reports/report.md")])
        #expect(try workspace.read("reports/report.md") == written)
        #expect(try Program.succeed(arguments).output == first.output)
        for text in [planned.text, first.text] {
            #expect(text.contains("a sum of losses. It was not measured, so that no interval is known."))
        }
        for row in ["| Enc_ee ", "| Dec_ed ", "| Emb ", "| Dec_ffn.3 "] {
            #expect(first.text.contains(row), "\(row)")
        }
    }

    @Test func infeasibleSizeNamesTheSmallest() throws {
        let table = try Fixture.table.get().path
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: table))) as? [String: Any])
        let cells = try #require(object["bySublayer"] as? [[String: Any]])
        let layout = try #require(object["layout"] as? [String: Any])
        let smallest =
            cells.filter { ["bcq2", "fp16"].contains($0["scheme"] as? String) }.compactMap {
                $0["bytes"] as? Int
            }.reduce(0, +)
            + (try #require(layout["fixedBytes"] as? Int))
        let outcome = try Program.bitplan(["plan", table, "--size", "500kB"])
        #expect(outcome.status != 0 && outcome.errorLines.count == 1)
        #expect(outcome.error.contains("smallest achievable is \(smallest)"), "\(outcome.error)")
        #expect(try Program.bitplan(["plan", table, "--size", "\(smallest)B"]).status == 0, "it can be met")
        #expect(try Program.bitplan(["plan", table, "--size", "\(smallest - 1)B"]).status != 0)
    }

    @Test func inspectShowsTheLayout() throws {
        let object = try Program.succeed(["inspect", Fixture.model.path, "--json"]).object()
        #expect(object["fullPrecisionBytes"] as? Int == Fixture.fullPrecisionBytes)
        #expect(((object["layout"] as? [String: Any])?["sublayers"] as? [Any])?.count == 22)
        let text = try Program.succeed(["inspect", Fixture.model.path]).text
        #expect(text.contains("| Enc_ffn.3 ") && text.contains("9,470,084"))
    }
}
