import BitplanModels
import BitplanTensors
import Foundation
import TestSupport
import Testing

/// Every key that the reference's own classes know is read, refused or harmless
/// (Scripts/goldens/configuration_keys.py).
@Suite struct ConfigurationKeysTests {
    /// The rules of every family, by `model_type` and file.
    private static let rules: [String: [String: SettingRules]] = [
        "marian": [
            "config.json": MarianSettings.model, "generation_config.json": MarianSettings.generation,
            "tokenizer_config.json": MarianSettings.tokenizer,
        ],
        "m2m_100": [
            "config.json": MultilingualSettings.m2m100,
            "generation_config.json": MultilingualSettings.generation,
            "tokenizer_config.json": MultilingualSettings.tokenizer,
        ],
        "mbart": [
            "config.json": MultilingualSettings.mBart,
            "generation_config.json": MultilingualSettings.generation,
            "tokenizer_config.json": MultilingualSettings.tokenizer,
        ],
        "t5": [
            "config.json": T5Settings.model, "generation_config.json": MarianSettings.generation,
            "tokenizer_config.json": T5Settings.tokenizer,
        ],
        "bert": [
            "config.json": BertSettings.model, "tokenizer_config.json": BertSettings.tokenizer,
            "sentence_bert_config.json": BertSettings.transformer,
            "1_Pooling/config.json": BertSettings.pooling,
            "2_Normalize/config.json": BertSettings.normalize,
            "config_sentence_transformers.json": BertSettings.sentenceEncoder,
        ],
        "llama": languageModel(LlamaSettings.model), "mistral": languageModel(LlamaSettings.mistral),
        "qwen2": languageModel(LlamaSettings.qwen2), "qwen3": languageModel(LlamaSettings.qwen3),
        "bitnet": languageModel(LlamaSettings.bitnet), "smollm3": languageModel(LlamaSettings.smollm3),
        "gemma2": languageModel(LlamaSettings.gemma2), "gemma3_text": languageModel(LlamaSettings.gemma3),
        "roberta": encoder(BertSettings.roberta), "xlm-roberta": encoder(BertSettings.roberta),
        "electra": encoder(BertSettings.electra), "distilbert": encoder(BertSettings.distilbert),
    ]

    private static func languageModel(_ model: SettingRules) -> [String: SettingRules] {
        [
            "config.json": model, "generation_config.json": LlamaSettings.generation,
            "tokenizer_config.json": LlamaSettings.tokenizer,
        ]
    }

    private static func encoder(_ model: SettingRules) -> [String: SettingRules] {
        ["config.json": model, "tokenizer_config.json": BertSettings.tokenizer]
    }

    @Test func everyKeyOfTheReferenceHasARule() throws {
        let file = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/configuration_keys.json")
        let known = try JSONDecoder().decode(
            [String: [String: [String]]].self, from: Data(contentsOf: file))
        #expect(Set(known.keys) == Set(Self.rules.keys))
        for (family, files) in known {
            let rules = try #require(Self.rules[family])
            #expect(Set(files.keys) == Set(rules.keys), "\(family)")
            for (name, keys) in files {
                let missing = keys.filter { rules[name]?[$0] == nil }
                #expect(missing == [], "\(family), \(name)")
                #expect(keys.count > 1)
            }
        }
    }

    /// What is refused stops a model by its name, unless its value asks for nothing or for what there is; all
    /// else passes.
    @Test func rulesAreKept() throws {
        let file = URL(filePath: "/model/config.json")
        var refused = 0
        for rules in Self.rules.values.flatMap(\.values) + [LlamaSettings.sampling] {
            for (key, rule) in rules {
                func check(_ value: Any) throws {
                    try Settings(file: file, object: [key: value]).check(rules)
                }
                guard case .refused(let supported) = rule else {
                    try check("another")
                    continue
                }
                refused += 1
                for value in [NSNull(), [Int](), [String: Int]()] as [Any] { try check(value) }
                for value in supported {
                    switch value {
                    case .flag(let flag): try check(NSNumber(value: flag))
                    case .number(let number): try check(NSNumber(value: number))
                    case .text(let text): try check(text)
                    }
                }
                for value in ["another", NSNumber(value: 7.5), [1], ["a": 1]] as [Any] {
                    let error = #expect(throws: FileError.self, "\(key)") { try check(value) }
                    #expect(error?.description.hasPrefix("/model/config.json: '\(key)'") == true)
                }
            }
        }
        #expect(refused > 90)
    }

    /// A value of a type that no setting has, under every key that is said to be read.
    @Test func whatIsSaidToBeReadIsRead() throws {
        let goldens = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens")
        func settings(_ file: String) throws -> [String: Any] {
            try FileError.readObject(goldens.appending(path: file))
        }
        func expectRead(_ rules: SettingRules, _ base: [String: Any], _ read: (Settings) throws -> Void)
            throws
        {
            try read(Settings(file: URL(filePath: "/x.json"), object: base))
            for (key, rule) in rules where rule == .read {
                let changed = base.merging([key: [["?"]]]) { $1 }
                #expect(throws: FileError.self, "\(key)") {
                    try read(Settings(file: URL(filePath: "/x.json"), object: changed))
                }
            }
        }
        let marian = try settings("marian-gelu-1-2/config.json")
        // The tokens that generation_config.json says come before those of config.json.
        let others: Set = [
            "architectures", "decoder_start_token_id", "eos_token_id", "forced_eos_token_id", "pad_token_id",
        ]
        let generation = try settings("marian-gelu-1-2/generation_config.json")
        try expectRead(MarianSettings.model.filter { !others.contains($0.key) }, marian) {
            _ = try BartConfiguration(
                MarianFamily.variant,
                $0, generation: Settings(file: URL(filePath: "/g.json"), object: generation))
        }
        try expectRead(MarianSettings.generation, generation) {
            _ = try BartConfiguration(
                MarianFamily.variant,
                Settings(file: URL(filePath: "/c.json"), object: marian), generation: $0)
        }
        for (variant, golden) in [
            (M2M100Family.variant, "tiny-m2m100"), (MBartFamily.variant, "tiny-mbart50"),
        ] {
            let config = try settings("\(golden)/config.json")
            let generation = try settings("\(golden)/generation_config.json")
            let rules =
                variant == MBartFamily.variant ? MultilingualSettings.mBart : MultilingualSettings.m2m100
            try expectRead(rules.filter { !others.contains($0.key) }, config) {
                _ = try BartConfiguration(
                    variant, $0, generation: Settings(file: URL(filePath: "/g.json"), object: generation))
            }
            try expectRead(MultilingualSettings.generation, generation) {
                _ = try BartConfiguration(
                    variant, Settings(file: URL(filePath: "/c.json"), object: config), generation: $0)
            }
        }
        let t5 = try settings("tiny-t5/config.json")
        let t5Generation = try settings("tiny-t5/generation_config.json")
        try expectRead(
            T5Settings.model.filter { !others.contains($0.key) && $0.key != "max_position_embeddings" }, t5
        ) {
            _ = try T5Configuration(
                $0, generation: Settings(file: URL(filePath: "/g.json"), object: t5Generation))
        }
        let bert = try settings("tiny-bert/config.json")
        // The number of labels is that of their names.
        try expectRead(BertSettings.model.filter { $0.key != "num_labels" }, bert) {
            _ = try BertConfiguration($0)
        }
        let llama = try settings("tiny-llama/config.json")
        try expectRead(
            LlamaSettings.model.filter { $0.key != "architectures" && !$0.key.hasPrefix("rope_") }, llama
        ) {
            _ = try LlamaConfiguration($0, generation: $0)
        }
        for (name, rules) in Self.rules {
            guard let model = rules["config.json"], !["bert", "llama"].contains(name),
                BertFamily.modelTypes.contains(name) || LlamaFamily.modelTypes.contains(name)
            else { continue }
            let base = try settings("kin/\(name)/config.json")
            // Keys that count only where others are not given.
            let others: Set = [
                "architectures", "num_labels", "max_window_layers", "no_rope_layer_interval", "rope_scaling",
                "rope_theta", "sliding_window_pattern",
            ]
            try expectRead(model.filter { !others.contains($0.key) }, base) {
                if BertFamily.modelTypes.contains(name) {
                    _ = try BertConfiguration($0)
                } else {
                    _ = try LlamaConfiguration($0, generation: $0)
                }
            }
        }
        try expectRead(LlamaSettings.generation, [:]) {
            _ = try LlamaConfiguration(
                Settings(file: URL(filePath: "/c.json"), object: llama), generation: $0)
        }
    }

    /// A model of another task is refused by its name, as is one that does not say its task.
    @Test(arguments: [
        ("marian-gelu-1-2", "MarianMTModel", "MarianForCausalLM"),
        ("tiny-m2m100", "M2M100ForConditionalGeneration", "M2M100Model"),
        ("tiny-mbart50", "MBartForConditionalGeneration", "MBartForSequenceClassification"),
        ("tiny-t5", "T5ForConditionalGeneration", "T5EncoderModel"),
        ("tiny-bert", "BertForSequenceClassification", "BertForTokenClassification"),
        ("tiny-llama", "LlamaForCausalLM", "LlamaForSequenceClassification"),
    ])
    func modelsOfOtherTasks(_ golden: String, _ expected: String, _ other: String) throws {
        let source = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/\(golden)")
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.copyItem(at: source, to: directory)
        func open(_ architectures: Any?) throws {
            var settings = try FileError.readObject(source.appending(path: "config.json"))
            settings["architectures"] = architectures
            try JSONSerialization.data(withJSONObject: settings).write(
                to: directory.appending(path: "config.json"))
            switch golden {
            case "tiny-m2m100": _ = try BartConfiguration(M2M100Family.variant, directory: directory)
            case "tiny-mbart50": _ = try BartConfiguration(MBartFamily.variant, directory: directory)
            case "tiny-t5": _ = try T5Configuration(directory: directory)
            case "tiny-bert": _ = try BertConfiguration(directory: directory)
            case "tiny-llama": _ = try LlamaConfiguration(directory: directory)
            default: _ = try BartConfiguration(MarianFamily.variant, directory: directory)
            }
        }
        try open([expected])
        for (value, message) in [
            ([other], "architecture '\(other)' is not supported: expected"),
            (nil, "'architectures' is missing"),
            ([], "'architectures': expected a list of names"), ("x", "'architectures': expected a list"),
        ] as [(Any?, String)] {
            let error = #expect(throws: FileError.self) { try open(value) }
            #expect(
                error?.description.contains("config.json: \(message)") == true,
                "\(error.map { "\($0)" } ?? "")")
        }
    }

    @Test(
        "More layers or labels than any model has are refused before they take memory",
        arguments: [
            ("marian-gelu-1-2", "encoder_layers"), ("marian-gelu-1-2", "decoder_layers"),
            ("tiny-bert", "num_hidden_layers"), ("tiny-bert", "num_labels"),
            ("tiny-llama", "num_hidden_layers"),
        ])
    func tooManyLayers(_ golden: String, _ key: String) throws {
        let file = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/\(golden)/config.json")
        var object = try FileError.readObject(file)
        object["id2label"] = nil
        object[key] = 1025
        let settings = Settings(file: file, object: object)
        let error = #expect(throws: FileError.self) {
            switch golden {
            case "tiny-bert": _ = try BertConfiguration(settings)
            case "tiny-llama": _ = try LlamaConfiguration(settings, generation: settings)
            default: _ = try BartConfiguration(MarianFamily.variant, settings, generation: settings)
            }
        }
        #expect(error?.message == "'\(key)': expected a size from 1 to 1024, got 1025")
    }
}
