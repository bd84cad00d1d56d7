import BitplanTokenizers
import Foundation
import TestSupport
import Testing

private struct ClassifierGoldens: Decodable {
    struct Row: Decodable { let ids: [Int] }
    let row: [Row]
}

@Suite struct WordPieceTokenizerTests {
    @Test(
        .enabled(if: TestFiles.hasShared("goldens/tokenizers"), "needs ../shared/goldens/tokenizers"),
        arguments: ["goldens/tokenizers/bert-uncased/tokens.json", "models/minilm-l6/goldens/tokens.json"])
    func publishedVocabulary(path: String) throws {
        let rows = try GoldenFiles.shared(path, as: [GoldenRow].self)
        let tokenizer = try WordPieceTokenizer(
            directory: TestFiles.shared.appending(path: "goldens/tokenizers/bert-uncased"))
        #expect(tokenizer.vocabularySize == 30_522)
        var differences = Differences()
        for row in rows {
            let got = tokenizer.encode(row.text, maximumLength: 256)
            differences.compare(got.ids, row.ids[0], row.text)
        }
        #expect(differences.compared > 2000)
        #expect(differences.count == 0, "\(differences)")
    }

    @Test(.enabled(if: TestFiles.hasShared("models/sst2-bert"), "needs ../shared/models/sst2-bert"))
    func classifierRows() throws {
        let goldens = try GoldenFiles.shared(
            "models/sst2-bert/goldens/goldens.json", as: ClassifierGoldens.self)
        let tokenizer = try WordPieceTokenizer(
            directory: TestFiles.shared.appending(path: "models/sst2-bert"))
        let lines = try String(
            contentsOf: TestFiles.shared.appending(path: "data/sst2.dev.tsv"), encoding: .utf8
        )
        .split(separator: "\n")
        #expect(lines.count == goldens.row.count)
        var differences = Differences()
        for (line, row) in zip(lines, goldens.row) {
            let text = String(line.prefix { $0 != "\t" })
            differences.compare(
                tokenizer.encode(text, maximumLength: 128).ids, row.ids, text)
        }
        #expect(differences.compared == 872)
        #expect(differences.count == 0, "\(differences)")
    }

    /// BERT's own classes put their switches in place of tokenizer.json's; classes of any tokenizer.json know
    /// none. Tokens as transformers 5.24 gives them for the same files.
    @Test(arguments: [
        ("BertTokenizer", ["[UNK]", "caf", "##é"]), ("PreTrainedTokenizerFast", ["the", "cafe"]),
        ("TokenizersBackend", ["the", "cafe"]),
    ])
    func classDecidesWhoseSwitchesCount(_ name: String, _ expected: [String]) throws {
        let words = ["[UNK]", "[CLS]", "[SEP]", "the", "cafe", "caf", "##é"]
        let vocabulary = words.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ")
        let directory = try TemporaryDirectory()
        try Data(
            #"""
            {"model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {\#(vocabulary)}},
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"}}
            """#.utf8
        ).write(to: directory.url.appending(path: "tokenizer.json"))
        try Data(
            #"{"tokenizer_class": "\#(name)", "do_lower_case": false, "strip_accents": false}"#.utf8
        ).write(to: directory.url.appending(path: "tokenizer_config.json"))
        let tokenizer = try WordPieceTokenizer(directory: directory.url)
        #expect(tokenizer.encode("THE café").map { words[$0] } == expected)
    }

    /// tokenizer.json and vocab.txt of one model say the same.
    @Test(.enabled(if: TestFiles.hasShared("models/sst2-bert"), "needs ../shared/models/sst2-bert"))
    func bothFilesAgree() throws {
        let model = TestFiles.shared.appending(path: "models/sst2-bert")
        let whole = try WordPieceTokenizer(directory: model)
        let vocabularyOnly = try TemporaryDirectory(copying: ["vocab.txt"], from: model)
        let plain = try WordPieceTokenizer(directory: vocabularyOnly.url)
        let rows = try GoldenFiles.shared("goldens/tokenizers/bert-uncased/tokens.json", as: [GoldenRow].self)
        var differences = Differences()
        for row in rows { differences.compare(plain.encode(row.text), whole.encode(row.text), row.text) }
        #expect(differences.compared == rows.count)
        #expect(differences.count == 0, "\(differences)")
    }
}
