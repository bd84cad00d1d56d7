import Foundation
import TestSupport
import Testing

/// What those who install the program rely on.
@Suite struct ToolTests {
    @Test func exitCodesAreTheDocumentedOnes() throws {
        let help = try Program.bitplan(["--help"])
        #expect(help.text.contains("Exit codes: 0") && help.text.contains("64"))
        #expect(help.status == 0)
        #expect(try Program.bitplan(["inspect", "/no/such/model"]).status == 1)
        #expect(try Program.bitplan(["inspect"]).status == 64)
        #expect(try Program.bitplan(["--no-such-option"]).status == 64)
    }

    @Test func theVersionIsThatOfThePlansAndTheChangelog() throws {
        let version = try Program.bitplan(["--version"]).text.trimmingCharacters(in: .whitespacesAndNewlines)
        let plan = try Data(contentsOf: TestFiles.root.appending(path: "Plans/demo.plan.json"))
        #expect(String(decoding: plan, as: UTF8.self).contains("\"tool\" : \"\(version)\""))
        let changelog = try Data(contentsOf: TestFiles.root.appending(path: "CHANGELOG.md"))
        let releases = String(decoding: changelog, as: UTF8.self).split(separator: "\n")
            .filter { $0.hasPrefix("## [") && !$0.contains("Unreleased") }
        #expect(releases.first?.hasPrefix("## [\(version.dropFirst("bitplan ".count))]") == true)
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func completionsNameEveryCommand(shell: String) throws {
        let script = try Program.bitplan(["--generate-completion-script", shell])
        #expect(script.status == 0)
        for command in ["sweep", "plan", "quantize", "run", "evaluate", "auto", "drop-layers"] {
            #expect(script.text.contains(command), "\(command)")
        }
    }

    @Test func theEnvironmentChoosesTheInstructions() throws {
        let bench = ["--only", "w8a8", "--repetitions", "1", "--json"]
        let chosen = try Program.run(
            try Program.executable("bitplan-bench"), bench, environment: ["BITPLAN_ISA": "portable"])
        #expect(try chosen.object()["instructions"] as? String == "portable")
        let model = ["inspect", Fixture.model.path]
        #expect(try Program.bitplan(model, environment: ["BITPLAN_ISA": "portable"]).status == 0)
        let unknown = try Program.bitplan(model, environment: ["BITPLAN_ISA": "mmx"])
        #expect(unknown.status == 1 && unknown.output.isEmpty && unknown.errorLines.count == 1)
        #expect(
            unknown.error.hasPrefix("bitplan: environment variable BITPLAN_ISA: expected one of portable"))
        #expect(unknown.error.hasSuffix(", got 'mmx'\n"))
        let refused = try Program.run(
            try Program.executable("bitplan-bench"), bench, environment: ["BITPLAN_ISA": "mmx"])
        #expect(refused.status == 1 && refused.output.isEmpty && refused.error.contains("BITPLAN_ISA"))
    }
}
