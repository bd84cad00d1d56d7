import Foundation
import TestSupport
import Testing

/// The programs of `Snippets/`, which README and documentation show, are run.
@Suite struct SnippetTests {
    private func run(_ name: String, _ arguments: [String]) throws -> String {
        let outcome = try Program.run(try Program.executable(name), arguments)
        #expect(outcome.status == 0, "\(outcome.error)")
        return outcome.text
    }

    @Test func planForSize() throws {
        let workspace = try Workspace()
        let lines = try run(
            "PlanForSize", [Fixture.model.path] + Fixture.planning + [workspace.path("packed")]
        ).split(separator: "\n")
        #expect(lines.count == 3 && lines[0].contains("of 9470084 bytes"))
    }

    @Test func sensitivityMarkdown() throws {
        let text = try run("SensitivityMarkdown", [Fixture.model.path] + Fixture.planning)
        #expect(text.contains("| Enc_ee ") && text.contains("bcq4"))
    }

    @Test func exportPlan() throws {
        let table = TestFiles.root.appending(path: "Reports/demo.sensitivity.json").path
        #expect(try run("ExportPlan", [table]).contains("model.decoder.layers.0"))
    }

    @Test func runPacked() throws {
        let workspace = try Workspace()
        let lines = try run(
            "RunPacked",
            [Fixture.model.path, workspace.path("packed"), "Where is the station?", "I like music."]
        ).split(separator: "\n")
        #expect(lines.count == 2 && lines.allSatisfy { !$0.isEmpty })
    }
}
