import Foundation
import TestSupport
import Testing

/// `auto` of every family with every option: each reaches the sweep, the plan and the evaluations, which run
/// in processes of their own.
@Suite struct AutoFamiliesTests {
    enum Family: String, CaseIterable {
        case translation, marianNative, classifier, sentenceEncoder, languageModel
        case separateVocabularies, m2m100, nllb, mBart50, t5

        /// Those of every task and network, which are run with every option; the others share what options
        /// change with `translation`.
        static let thorough = [translation, marianNative, classifier, sentenceEncoder, languageModel]
        static let others = allCases.filter { !thorough.contains($0) }

        fileprivate func model(_ workspace: Workspace) throws -> String {
            let goldens = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens")
            switch self {
            case .translation: return Fixture.model.path
            case .marianNative: return Fixture.marianNative.path
            case .classifier: return goldens.appending(path: "tiny-bert").path
            case .separateVocabularies: return goldens.appending(path: "marian-separate").path
            case .m2m100: return goldens.appending(path: "tiny-m2m100").path
            case .nllb: return goldens.appending(path: "tiny-nllb").path
            case .mBart50: return goldens.appending(path: "tiny-mbart50").path
            case .t5: return goldens.appending(path: "tiny-t5-v1_1").path
            case .languageModel: return goldens.appending(path: "tiny-llama").path
            case .sentenceEncoder:
                let model = workspace.file("encoder")
                try FileManager.default.copyItem(at: goldens.appending(path: "tiny-bert"), to: model)
                let file = model.appending(path: "config.json")
                var settings =
                    try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
                settings["architectures"] = ["BertModel"]
                try JSONSerialization.data(withJSONObject: settings).write(to: file)
                return model.path
            }
        }

        fileprivate func data(_ workspace: Workspace) throws -> [String] {
            switch self {
            case .translation: return Fixture.planning
            case .marianNative, .separateVocabularies, .m2m100, .nllb, .mBart50, .t5:
                return [
                    try workspace.write(
                        "the cat sat on the mat\na small bird\nrain fell on the roof all night\nthe dog\n",
                        to: "data.en"
                    ).path,
                    try workspace.write("on the mat\nbird\nthe roof\nthe dog\n", to: "data.xx").path,
                ]
            case .classifier:
                return [
                    try workspace.write(
                        "good film\t1\nnot bad, the film\tgood\t2\nabc def\tneutral\n!\tcontradiction\n",
                        to: "data.tsv"
                    ).path
                ]
            case .sentenceEncoder:
                return [
                    try workspace.write(
                        "good film\tnot bad\t4.5\nbad film\tgood film!\t1\na b c\tthe film, abc\t2\n\tjihg\t0\n",
                        to: "data.tsv"
                    ).path
                ]
            case .languageModel:
                let lines = (0..<12).map { "line \($0) of a text: \($0 * $0) is the square of \($0)." }
                return [try workspace.write(lines.joined(separator: "\n"), to: "data.txt").path]
            }
        }
    }

    /// Options; DATA stands for the data files.
    private static let options = [
        [], ["--beams", "2", "--threads", "1", "--batch", "3", "--max-length", "9"],
        ["--temperature", "0.7", "--seed", "5", "--max-length", "9"],
        ["--check-limit", "2", "--check", "DATA"],
        ["--fit", "calibrated", "--calibration-limit", "2", "--calibration", "DATA"],
        ["--fit", "refined", "--signal", "fisher"], ["--signal", "weight"], ["--signal", "output"],
        ["--metric", "--no-groups"], ["--metric-top", "2", "--precision", "0.1"], ["--naive"],
        ["--pin", "*=bcq2", "--json"], ["--allow", "*=bcq2,bcq3", "--min-bits", "2"],
        ["--tie", "types"], ["--tie", "depth", "--no-store"], ["--energy", "1J", "--process", "45nm"],
        ["--max-loss", "100"], ["--max-loss", "100", "--minimize", "joules"], ["--store", "STORE"],
    ]

    private func run(_ family: Family, _ options: [String], in workspace: Workspace) throws -> Outcome {
        let data = try family.data(workspace)
        let more = options.flatMap { option in
            option == "DATA" ? data : [option == "STORE" ? workspace.path("store.sqlite") : option]
        }
        var budget = options.contains("--max-loss") ? [] : ["--size", "3x"]
        if !options.contains("--fit") { budget += ["--fit", "greedy"] }
        return try Program.bitplan(
            ["auto", try family.model(workspace), "--schemes", "bcq2,bcq3", "--effort", "3", "--limit", "4"]
                + ["--name", "x", "--reports", workspace.path("out/r"), "--plans", workspace.path("out/p")]
                + ["--output", workspace.path("out/packed")] + budget + ["--data"] + data + more)
    }

    private func check(_ family: Family, _ options: [String], signature: String = "") throws {
        let workspace = try Workspace()
        let outcome = try run(family, options, in: workspace)
        #expect(outcome.status == 0, "\(family) \(options): \(outcome.error)")
        let made = (try? FileManager.default.subpathsOfDirectory(atPath: workspace.path("out"))) ?? []
        for file in [
            "p/x.plan.json", "r/x.sensitivity.json", "r/x.comparison.json", "r/x.md", "r/x.timings.md",
            "packed/model.safetensors",
        ] { #expect(made.contains(file), "\(family) \(options): \(file) is missing") }
        guard outcome.status == 0 else { return }
        let comparison = try #require(
            try JSONSerialization.jsonObject(with: workspace.read("out/r/x.comparison.json"))
                as? [String: Any])
        let metric = try #require(comparison["metric"] as? String)
        #expect(
            signature.isEmpty || metric.contains(signature), "\(family) \(options): \(metric)")
        if options.contains("--check") { #expect(comparison["sentences"] as? Int == 2) }
    }

    /// From data to a packed model, and a step of training under a plan.
    @Test(arguments: Family.others)
    func others(_ family: Family) throws {
        try check(family, ["--metric", "--targets", "own", "--no-store"])
        let workspace = try Workspace()
        let heldOut = [
            try workspace.write("the bird\nall night on the roof\n", to: "held-out.en").path,
            try workspace.write("the dog\nrain\n", to: "held-out.xx").path,
        ]
        try Program.succeed(
            ["tune", try family.model(workspace), "--preset", "bcq2", "--fit", "greedy", "--steps", "1"]
                + ["--no-store", "--output", workspace.path("tuned"), "--data"]
                + (try family.data(workspace)) + ["--held-out"] + heldOut)
    }

    @Test(arguments: Family.thorough, options.indices)
    func everyOption(_ family: Family, _ option: Int) throws {
        try check(family, Self.options[option])
    }

    /// Windows are for language models, with either part left out; other families refuse them before the
    /// sweep.
    @Test(arguments: Family.thorough)
    func windows(_ family: Family) throws {
        for (options, signature) in [
            (["--context", "24", "--stride", "12"], "context:24|stride:12"),
            (["--context", "24"], "context:24|stride:12"),
            (["--stride", "5"], "stride:5"),
        ] {
            if family == .languageModel {
                try check(family, options, signature: signature)
            } else {
                let workspace = try Workspace()
                let outcome = try run(family, options, in: workspace)
                #expect(outcome.status == 1 && outcome.errorLines.count == 1, "\(outcome.error)")
                #expect(!FileManager.default.fileExists(atPath: workspace.path("out")))
            }
        }
    }
}
