import BitplanTokenizers
import Foundation
import Testing

/// Parts of the vocabularies of published models, and the tokens that the models' own tokenizers give, as
/// llama.cpp keeps them for its tests (Scripts/goldens/published_vocabularies.py).
@Suite struct PublishedVocabularyTests {
    private struct Golden: Decodable {
        let texts: [String]
        let ids: [[Int]]
    }

    private func check(_ name: String, _ encode: (URL) throws -> (String) -> [Int]) throws {
        let golden = try GoldenFiles.own("published/\(name)/golden.json", as: Golden.self)
        let encode = try encode(GoldenFiles.own.appending(path: "published/\(name)"))
        var differences = Differences()
        for (text, ids) in zip(golden.texts, golden.ids) { differences.compare(encode(text), ids, text) }
        #expect(golden.texts.count == golden.ids.count && differences.compared > 40)
        #expect(differences.count == 0, "\(differences)")
    }

    @Test(arguments: ["gpt-2", "llama-bpe", "qwen2", "llama-spm", "gemma-4"])
    func subwords(_ name: String) throws {
        try check(name) { directory in
            let tokenizer = try SubwordTokenizer(directory: directory)
            return { tokenizer.encode($0, addingSpecialTokens: false) }
        }
    }

    @Test func wordPiece() throws {
        try check("bert-bge") { directory in
            let tokenizer = try WordPieceTokenizer(directory: directory)
            return { tokenizer.encode($0) }
        }
    }
}
