import Foundation
import TestSupport
import Testing
import Tokenizers

/// Small tokenizers and what the reference implementations make of hostile strings with them (Scripts/goldens/tokenizers.py).
@Suite struct OwnGoldenTests {
    private struct Marian: Decodable {
        /// Null where two segmentations have the same score: which one wins depends on the library's version.
        let source: [[Int]?]
        let target: [[Int]]
        let decoded: [DecodedIDs]
        let endID: Int
        let unknownID: Int
        let paddingID: Int
    }

    private struct WordPiece: Decodable {
        let ids: [[Int]]
        let decoded: [String]
        let strays: [DecodedIDs]
        let pairs: [Pair]
    }

    private struct BytePair: Decodable {
        let ids: [[Int]]
        let decoded: [String]
        let strays: [DecodedIDs]
    }

    private struct DecodedIDs: Decodable {
        let ids: [Int]
        let text: String

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            ids = try container.decode([Int].self)
            text = try container.decode(String.self)
        }
    }

    private struct Pair: Decodable {
        let first: String
        let second: String
        let maximumLength: Int?
        let ids: [Int]
        let typeIDs: [Int]

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            first = try container.decode(String.self)
            second = try container.decode(String.self)
            maximumLength = try container.decode(Int?.self)
            ids = try container.decode([Int].self)
            typeIDs = try container.decode([Int].self)
        }
    }

    private static func texts() throws -> [String] {
        let texts = try GoldenFiles.own("texts.json", as: [String].self)
        try #require(texts.count > 400)
        return texts
    }

    @Test(arguments: ["marian", "marian-clean", "marian-separate"])
    func marian(name: String) throws {
        let golden = try GoldenFiles.own("\(name)/golden.json", as: Marian.self)
        let tokenizer = try MarianTokenizer(directory: GoldenFiles.own.appending(path: name))
        #expect(tokenizer.endID == golden.endID)
        #expect(tokenizer.unknownID == golden.unknownID)
        #expect(tokenizer.paddingID == golden.paddingID)
        var differences = Differences()
        for (index, text) in try Self.texts().enumerated() {
            if let ids = golden.source[index] { differences.compare(tokenizer.encodeSource(text), ids, text) }
            differences.compare(tokenizer.encodeTarget(text), golden.target[index], text)
        }
        for row in golden.decoded {
            differences.compare(Array(tokenizer.decode(row.ids).utf8), Array(row.text.utf8), row.text)
        }
        #expect(golden.decoded.count >= 100)
        #expect(differences.compared > 850)
        #expect(differences.count == 0, "\(differences)")
    }

    @Test(arguments: ["wordpiece", "wordpiece-cased", "wordpiece-accents", "wordpiece-json"])
    func wordPiece(name: String) throws {
        let golden = try GoldenFiles.own("\(name)/golden.json", as: WordPiece.self)
        let tokenizer = try WordPieceTokenizer(directory: GoldenFiles.own.appending(path: name))
        var differences = Differences()
        for (index, text) in try Self.texts().enumerated() {
            differences.compare(tokenizer.encode(text), golden.ids[index], text)
            differences.compare(
                Array(tokenizer.decode(golden.ids[index]).utf8), Array(golden.decoded[index].utf8), text)
        }
        for row in golden.strays {
            differences.compare(Array(tokenizer.decode(row.ids).utf8), Array(row.text.utf8), row.text)
        }
        for row in golden.pairs {
            let got = tokenizer.encode(row.first, pairedWith: row.second, maximumLength: row.maximumLength)
            differences.compare(got.ids, row.ids, "\(row.first) + \(row.second), \(row.maximumLength ?? -1)")
            differences.compare(got.typeIDs, row.typeIDs, "types of \(row.first) + \(row.second)")
        }
        #expect(golden.pairs.count >= 80)
        #expect(golden.strays.count >= 80)
        #expect(differences.count == 0, "\(differences)")
    }

    @Test(arguments: ["bpe-gpt2", "bpe-llama3", "bpe-qwen2", "bpe-smollm", "bpe-normalized"])
    func bytePair(name: String) throws {
        let golden = try GoldenFiles.own("\(name)/golden.json", as: BytePair.self)
        let tokenizer = try BytePairTokenizer(directory: GoldenFiles.own.appending(path: name))
        var differences = Differences()
        for (index, text) in try Self.texts().enumerated() {
            differences.compare(tokenizer.encode(text), golden.ids[index], text)
            differences.compare(
                Array(tokenizer.decode(golden.ids[index]).utf8), Array(golden.decoded[index].utf8), text)
        }
        for row in golden.strays {
            differences.compare(Array(tokenizer.decode(row.ids).utf8), Array(row.text.utf8), "\(row.ids)")
        }
        #expect(golden.strays.count >= 80)
        #expect(differences.count == 0, "\(differences)")
    }
}
