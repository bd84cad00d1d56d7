import BitplanTokenizers
import Foundation
import TestSupport
import Testing

private struct ModelGoldens: Decodable {
    struct Sentence: Decodable {
        struct Output: Decodable {
            let ids: [Int]
            let text: String
        }
        let source: String
        let reference: String
        let source_ids: [Int]
        let reference_ids: [Int]
        let greedy_ids: [Int]
        let greedy: String
    }
    let sentences: [Sentence]
}

@Suite struct MarianTokenizerTests {
    @Test(
        .enabled(if: TestFiles.hasShared("models"), "needs ../shared/models"),
        arguments: ["tatoeba-en-de", "opus-mt-zh-en-shape"])
    func sentencesOfTheModels(model: String) throws {
        let goldens = try GoldenFiles.shared("models/\(model)/goldens/goldens.json", as: ModelGoldens.self)
        let tokenizer = try MarianTokenizer(directory: TestFiles.shared.appending(path: "models/\(model)"))
        var differences = Differences()
        for sentence in goldens.sentences {
            differences.compare(tokenizer.encodeSource(sentence.source), sentence.source_ids, sentence.source)
            differences.compare(
                try tokenizer.encodeTarget(sentence.reference), sentence.reference_ids, sentence.reference)
            differences.compare(
                Array(tokenizer.decode(sentence.greedy_ids).utf8), Array(sentence.greedy.utf8),
                sentence.greedy)
        }
        #expect(differences.compared >= 36)
        #expect(differences.count == 0, "\(differences)")
    }

    @Test(.enabled(if: TestFiles.hasShared("goldens/tokenizers"), "needs ../shared/goldens/tokenizers"))
    func linesAndHostileStrings() throws {
        let rows = try GoldenFiles.shared("goldens/tokenizers/marian-zh-en/tokens.json", as: [GoldenRow].self)
        let tokenizer = try MarianTokenizer(
            directory: TestFiles.shared.appending(path: "models/opus-mt-zh-en-shape"))
        var differences = Differences()
        for row in rows {
            differences.compare(tokenizer.encodeSource(row.text), row.ids[0], row.text)
            differences.compare(try tokenizer.encodeTarget(row.text), row.ids[1], row.text)
            differences.compare(Array(tokenizer.decode(row.ids[0]).utf8), Array(row.texts[0].utf8), row.text)
        }
        #expect(differences.compared == 3 * 1350)
        #expect(differences.count == 0, "\(differences)")
    }
}
