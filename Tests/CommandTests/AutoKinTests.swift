import Foundation
import TestSupport
import Testing

/// `auto` of models that differ from their family's own in settings and names: sweep, plan, packed model and
/// evaluations, and lines that the packed model answers.
@Suite struct AutoKinTests {
    private static let classes = "the film\t%\nnot bad, the film\tgood\t%\nabc def\t%\n!\t%\n"
    private static let text = (0..<12).map { "the \($0) cats ran and an ant \($0 * $0) then." }.joined(
        separator: "\n")

    /// A model and data for it.
    static let models: [(name: String, data: String)] =
        ["bitnet", "gemma2", "gemma3_text", "llama2", "llama3", "mistral", "qwen2", "qwen3", "smollm3"].map {
            ($0, text)
        } + [
            ("roberta", fill(["yes", "no", "maybe", "1"])),
            ("xlm-roberta", fill(["toxic,kind", "-", "1", "long"])),
            ("electra", fill(["yes", "no", "0", "1"])), ("distilbert", fill(["1", "2.5", "-3", "0"])),
        ]

    private static func fill(_ answers: [String]) -> String {
        answers.reduce(classes) { $0.replacing("%", with: $1, maxReplacements: 1) }
    }

    @Test(arguments: models.indices)
    func autoAndRun(_ index: Int) throws {
        let (name, data) = Self.models[index]
        let workspace = try Workspace()
        let model = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/kin/\(name)").path
        let file = try workspace.write(data, to: "data.tsv")
        let outcome = try Program.bitplan(
            [
                "auto", model, "--schemes", "bcq2,int4", "--effort", "3", "--limit", "4", "--size", "2x",
                "--fit",
            ]
                + ["greedy", "--no-store", "--name", "x", "--reports", workspace.path("r"), "--plans"]
                + [workspace.path("p"), "--output", workspace.path("packed"), "--data", file.path])
        #expect(outcome.status == 0, "\(name): \(outcome.error)")
        let inspected = try Program.succeed(["inspect", model, "--json"]).object()
        let type = name.hasPrefix("llama") ? "llama" : name
        #expect((inspected["model"] as? [String: String])?["type"] == type)
        let answers = try Program.succeed(["run", workspace.path("packed")], input: "the cat\nan ant\n")
        #expect(answers.text.split(separator: "\n", omittingEmptySubsequences: false).count == 3)
    }
}
