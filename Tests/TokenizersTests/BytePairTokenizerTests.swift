import BitplanTokenizers
import Foundation
import TestSupport
import Testing

private struct LanguageModelGoldens: Decodable {
    struct Continuation: Decodable {
        let prompt: String
        let prompt_ids: [Int]
        let ids: [Int]
        let text: String
    }
    let lines: [GoldenRow]
    let greedy: [Continuation]
}

@Suite struct BytePairTokenizerTests {
    @Test(
        .enabled(if: TestFiles.hasShared("goldens/tokenizers"), "needs ../shared/goldens/tokenizers"),
        arguments: ["bpe-gpt2", "bpe-llama3", "bpe-smollm", "bpe-nfc"])
    func commonVariants(name: String) throws {
        let rows = try GoldenFiles.shared("goldens/tokenizers/\(name)/tokens.json", as: [GoldenRow].self)
        let tokenizer = try SubwordTokenizer(
            directory: TestFiles.shared.appending(path: "goldens/tokenizers/\(name)"))
        var differences = Differences()
        for row in rows { differences.compare(tokenizer.encode(row.text), row.ids[0], row.text) }
        #expect(differences.compared > 1500)
        #expect(differences.count == 0, "\(differences)")
    }

    @Test(
        .enabled(if: TestFiles.hasShared("goldens/tokenizers"), "needs ../shared/goldens/tokenizers"),
        arguments: ["bpe-gpt2", "bpe-llama3", "bpe-smollm"])
    func decodingGivesTheTextBack(name: String) throws {
        let rows = try GoldenFiles.shared("goldens/tokenizers/\(name)/tokens.json", as: [GoldenRow].self)
        let tokenizer = try SubwordTokenizer(
            directory: TestFiles.shared.appending(path: "goldens/tokenizers/\(name)"))
        var differences = Differences()
        for row in rows where !row.text.contains("<|") {
            differences.compare(Array(tokenizer.decode(row.ids[0]).utf8), Array(row.text.utf8), row.text)
        }
        #expect(differences.compared > 1500)
        #expect(differences.count == 0, "\(differences)")
    }

    @Test(.enabled(if: TestFiles.hasShared("models/wikitext-lm"), "needs ../shared/models/wikitext-lm"))
    func linesOfTheModel() throws {
        let goldens = try GoldenFiles.shared(
            "models/wikitext-lm/goldens/goldens.json", as: LanguageModelGoldens.self)
        let tokenizer = try SubwordTokenizer(
            directory: TestFiles.shared.appending(path: "models/wikitext-lm"))
        var differences = Differences()
        for row in goldens.lines { differences.compare(tokenizer.encode(row.text), row.ids[0], row.text) }
        for row in goldens.greedy {
            differences.compare(tokenizer.encode(row.prompt), row.prompt_ids, row.prompt)
            differences.compare(tokenizer.decode(row.ids, keepingSpecialTokens: true), row.text, row.text)
        }
        #expect(differences.compared == 30)
        #expect(differences.count == 0, "\(differences)")
        #expect(tokenizer.beginID == 0)
        #expect(tokenizer.endID == 1)
    }
}
