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
