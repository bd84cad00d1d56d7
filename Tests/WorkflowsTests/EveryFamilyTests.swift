import BitplanEncoding
import BitplanModels
import BitplanTensors
import BitplanTraining
import BitplanWorkflows
import Foundation
import PlanFormat
import TestSupport
import Testing

/// A tiny random model of every `model_type`: all families of schemes and all recipes hold for each.
@Suite struct EveryFamilyTests {
    /// Directories under the goldens of models, by `model_type` and what tells two of one type apart.
    static let models = [
        "bert": "tiny-bert", "distilbert": "kin/distilbert", "electra": "kin/electra",
        "roberta": "kin/roberta", "xlm-roberta": "kin/xlm-roberta",
        "gemma2": "kin/gemma2", "gemma3_text": "kin/gemma3_text", "llama": "tiny-llama",
        "bitnet": "kin/bitnet", "mistral": "kin/mistral", "qwen2": "kin/qwen2", "qwen3": "kin/qwen3",
        "smollm3": "kin/smollm3",
        "m2m_100": "tiny-m2m100", "marian": "marian-separate", "marian-native": "marian-native/ssru",
        "mbart": "tiny-mbart50", "t5": "tiny-t5",
        "t5 v1.1": "tiny-t5-v1_1",
    ]

    /// One of every family of schemes, with options off their defaults.
    static let schemes = [
        "fp16", "bcq2:g64", "emb4:r4", "int3:g24:asym", "nf4:b32", "pq:b4:k5", "tcq2.5", "tcq3-2:r4",
        "index8", "sign:mean",
        "bitlinear", "w8a8",
    ]

    private static let goldens = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens")

    /// The directory of a model's goldens.
    static func directory(_ type: String) throws -> URL {
        goldens.appending(path: try #require(models[type]))
    }

    /// The `model_type` of a model.
    private static func type(of model: String) -> String { String(model.prefix { $0 != " " }) }

    /// The family that reads a model.
    static func family(_ model: String) throws -> any ModelFamily.Type {
        try #require(Families.all.first { $0.modelTypes.contains(type(of: model)) })
    }

    private let root = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")

    /// A directory of the model; that of Marian's own format is put together.
    private func model(_ type: String) throws -> URL {
        let golden = try Self.directory(type)
        guard type == "marian-native" else { return golden }
        let directory = root.appending(path: "model")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        for (from, to) in [("ssru/model.npz", "model.npz"), ("vocab.spm", "vocab.xxyy.spm")] {
            try FileManager.default.copyItem(
                at: Self.goldens.appending(path: "marian-native/\(from)"), to: directory.appending(path: to))
        }
        return directory
    }

    /// A few lines with what the model's task asks for beside them.
    private func data<Family: ModelFamily>(
        _ family: Family.Type, _ type: String, _ name: String, _ lines: [String]
    ) throws -> DataSource {
        func write(_ name: String, _ lines: [String]) throws -> URL {
            let file = root.appending(path: name)
            try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
            return file
        }
        if family.Net.self is EncoderDecoderNetwork.Type {
            return DataSource(
                files: [try write("\(name).en", lines), try write("\(name).xx", lines.reversed())])
        }
        let answers = [
            "bert": ["0", "1"], "roberta": ["yes", "no"], "electra": ["yes", "no"],
            "distilbert": ["1.5", "-2"], "xlm-roberta": ["toxic,kind", "-"],
        ]
        guard let answers = answers[type] else { return DataSource(files: [try write(name, lines)]) }
        return DataSource(
            files: [
                try write(name, zip(lines.indices, lines).map { "\($1)\t\(answers[$0 % answers.count])" })
            ])
    }

    /// A model under test with its data.
    private struct Bench<Family: ModelFamily> {
        let model: URL
        let data: DataSource
        let heldOut: DataSource
        let output: URL

        /// A step of training from the plan that gives all sublayers one scheme.
        func tune(_ scheme: String, _ recipe: TrainingRecipe) throws -> TrainingLog {
            let plan = try presetPlan(Family.self, model, Preset(named: scheme), fit: .greedy)
            return try BitplanWorkflows.tune(
                Family.self,
                TuneRequest(
                    model: model, start: .plan(plan), data: data, heldOut: heldOut, recipe: recipe,
                    length: .steps(1), output: output
                ) {
                    $0.batchSize = 4
                    $0.evaluateEvery = 1
                })
        }
    }

    private func bench<Family: ModelFamily>(_ family: Family.Type, _ type: String) throws -> Bench<Family> {
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        let lines = ["the cat sat on the mat", "a good film", "not bad, and the dog", "rain fell"]
        return Bench(
            model: try model(type), data: try data(family, type, "data", lines),
            heldOut: try data(family, type, "held-out", ["a small bird", "the film and the cat"]),
            output: root.appending(path: "packed"))
    }

    private func checkSchemes<Family: ModelFamily>(_ family: Family.Type, _ type: String) throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let bench = try bench(family, type)
        let place = try #require(Self.models.keys.sorted().firstIndex(of: type))
        for (index, text) in Self.schemes.enumerated() {
            // `TuneSchemesTests` has both recipes for every scheme.
            let recipe: TrainingRecipe = (index + place) % 2 == 0 ? .scales : .weights
            let log = try bench.tune(text, recipe)
            let directory = try PackedDirectory<Family>(bench.output, of: bench.model, heldOut: bench.heldOut)
            #expect(directory.opened.family.type == Self.type(of: type))
            try directory.expectWhatTrainingLeft(log, "\(type) \(text) \(recipe)")
        }
    }

    private func checkRecipes<Family: ModelFamily>(_ family: Family.Type, _ type: String) throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let bench = try bench(family, type)
        let hasStacks = family.Net.self is EncoderDecoderNetwork.Type
        for (recipe, scheme) in [
            (TrainingRecipe.quantNoise, "bcq2"), (.ipq, "pq:b4:k5"), (.sensimix, "sign"),
            (.bitnet, "bitlinear"), (.chung, "bcq2"),
        ] {
            if recipe.objective == .labels, type == "distilbert" {
                // A regression's scores are no labels.
                let error = #expect(throws: UsageError.self) { try bench.tune(scheme, recipe) }
                #expect(error?.description.contains("scores alone") == true)
                continue
            }
            if recipe == .chung, !hasStacks {
                let expected = RecipeError.otherFamily(.chung, expected: "an encoder and a decoder")
                #expect(throws: expected) { try bench.tune(scheme, recipe) }
                continue
            }
            let log = try bench.tune(scheme, recipe)
            let packed = try #require(log.packedHeldOut)
            #expect(packed.isFinite && packed > 0 && log.recipe == recipe.rawValue, "\(type) \(recipe)")
            #expect(try PackedModel<Family>(directory: bench.output).plan.tuning?.recipe == recipe.rawValue)
        }
    }

    /// A model, and rules for the keys of its files (`ConfigurationKeysTests`; of Marian's own format
    /// `MarianNativeSettings` has them all).
    @Test func everyTypeHasAModel() throws {
        let types = Set(Families.all.flatMap { $0.modelTypes })
        #expect(Set(Self.models.keys.map(Self.type)) == types)
        let keys = try FileError.readObject(Self.goldens.appending(path: "configuration_keys.json")).keys
        #expect(Set(keys).union(["marian-native"]) == types)
    }

    @Test(arguments: models.keys.sorted()) func everyScheme(_ type: String) throws {
        try checkSchemes(try Self.family(type), type)
    }

    @Test(arguments: models.keys.sorted()) func everyRecipe(_ type: String) throws {
        try checkRecipes(try Self.family(type), type)
    }
}
