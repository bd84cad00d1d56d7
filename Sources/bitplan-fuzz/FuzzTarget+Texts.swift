import ArgumentParser
import BitplanAllocation
import BitplanCommand
import BitplanModels
import BitplanSensitivity
import BitplanTokenizers
import Foundation
import PlanFormat

extension FuzzTarget {
    /// Files of tokenizers: a text is encoded, and its ids decoded.
    static let tokenizers: [FuzzTarget] = [
        FuzzTarget(name: "tokenizer-bpe", file: "tokenizer.json") {
            try encode(SubwordTokenizer(directory: $0.deletingLastPathComponent()))
        },
        FuzzTarget(name: "tokenizer-wordpiece", file: "tokenizer.json") {
            try encode(WordPieceTokenizer(directory: $0.deletingLastPathComponent()))
        },
        FuzzTarget(
            name: "tokenizer-config", file: "tokenizer_config.json",
            companions: [goldens + "tiny-bert/vocab.txt"]
        ) { try encode(WordPieceTokenizer(directory: $0.deletingLastPathComponent())) },
        FuzzTarget(name: "vocab-txt", file: "vocab.txt") {
            try encode(WordPieceTokenizer(directory: $0.deletingLastPathComponent()))
        },
        FuzzTarget(
            name: "vocab-json", file: "vocab.json",
            companions: ["source.spm", "target.spm", "tokenizer_config.json"].map { made + "marian/" + $0 }
        ) { try encode(MarianTokenizer(directory: $0.deletingLastPathComponent())) },
        FuzzTarget(name: "sentencepiece", file: "vocab.spm") { try encode(SentencePieceTokenizer(file: $0)) },
    ]

    /// Data files and command lines.
    static let texts: [FuzzTarget] = [
        FuzzTarget(
            name: "data-translation", file: "data.en",
            companions: ["config.yml", "model.bin", "vocab.spm"].map { "Fixtures/marian-native/" + $0 }
        ) { file in
            try dataset(MarianNativeFamily.self, [file, file], in: file.deletingLastPathComponent())
        },
        FuzzTarget(
            name: "data-labels", file: "data.tsv",
            companions: ["config.json", "tokenizer_config.json", "vocab.txt"].map {
                goldens + "tiny-bert/" + $0
            }
        ) { try dataset(BertFamily.self, [$0], in: $0.deletingLastPathComponent()) },
        FuzzTarget(
            name: "data-text", file: "data.txt",
            companions: ["config.json", "tokenizer.json", "tokenizer_config.json"].map {
                goldens + "tiny-llama/" + $0
            }
        ) { try dataset(LlamaFamily.self, [$0], in: $0.deletingLastPathComponent()) },
        FuzzTarget(name: "command-line", file: "arguments.txt") { file in
            let arguments = try String(decoding: Data(contentsOf: file), as: UTF8.self)
                .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            do { _ = try RootCommand.parseAsRoot(arguments) } catch { _ = RootCommand.message(for: error) }
        },
        // The same texts without the parser of whole lines, which takes most of the time of the target above.
        FuzzTarget(name: "option-values", file: "value.txt") { file in
            let text = try String(decoding: Data(contentsOf: file), as: UTF8.self)
            _ = LayerList(argument: text)
            _ = Shard(text)
            _ = SublayerName(text)
            _ = Scheme.list(text)
            for layout in layouts {
                _ = SizeTarget(text)?.bytes(of: layout)
                _ = try? Preset(named: text).schemes(of: layout, modelType: "model")
                var problem = AllocationProblem(
                    items: layout.sublayers.map { sublayer in
                        AllocationProblem.Item(
                            name: sublayer.name.description,
                            options: ["bcq2", "int8"].map { .init(label: $0, loss: 0, costs: []) })
                    }, budgets: [])
                try? problem.restrict(text)
            }
        },
    ]

    private static let sample =
        "The sky, \u{E9}\u{65}\u{301} \u{4E2D}\u{1F600} 1234 'll  <unk> [MASK]\u{0}\t\u{FEFF}\u{AD} dog-ed"

    private static func encode(_ tokenizer: some Tokenizer) {
        _ = tokenizer.decode(tokenizer.encode(sample) + [-1, tokenizer.vocabularySize])
        _ = tokenizer.encode("")
    }

    /// The families, which are read once.
    nonisolated(unsafe) private static var family: (any ModelFamily)?

    private static func dataset<Family: ModelFamily>(
        _ type: Family.Type, _ files: [URL], in directory: URL
    ) throws {
        let known = try family as? Family ?? Family(directory: directory)
        family = known
        _ = try known.task.dataset(files, limit: nil, windows: nil)
    }
}
