import BitplanTokenizers
import Foundation
import TestSupport
import Testing

/// Small tokenizers and what the reference implementations make of hostile strings with them
/// (Scripts/goldens/tokenizers.py).
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

    private struct Subwords: Decodable {
        let ids: [[Int]]
        let decoded: [String]
        let strays: [DecodedIDs]
        let pairs: [Pair]?
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
            differences.compare(try tokenizer.encodeTarget(text), golden.target[index], text)
        }
        for row in golden.decoded {
            differences.compare(Array(tokenizer.decode(row.ids).utf8), Array(row.text.utf8), row.text)
        }
        #expect(golden.decoded.count >= 100)
        #expect(differences.compared > 850)
        #expect(differences.count == 0, "\(differences)")
    }

    /// A vocabulary that numbers its own pieces, as Marian trains them.
    @Test func sentencePiece() throws {
        struct Golden: Decodable {
            struct Decoded: Decodable {
                let ids: [Int]
                let text: String
            }
            let ids: [[Int]]
            let decoded: [Decoded]
        }
        let golden = try GoldenFiles.own("marian-native.json", as: Golden.self)
        let tokenizer = try SentencePieceTokenizer(
            file: TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/marian-native/vocab.spm"))
        #expect(tokenizer.vocabularySize == 56)
        var differences = Differences()
        for (index, text) in try Self.texts().enumerated() {
            differences.compare(tokenizer.encode(text), golden.ids[index], text)
        }
        for row in golden.decoded {
            differences.compare(Array(tokenizer.decode(row.ids).utf8), Array(row.text.utf8), row.text)
        }
        #expect(golden.decoded.count >= 100)
        #expect(differences.count == 0, "\(differences)")
        #expect(tokenizer.decode([0, 1, 56, -1, 4000]).isEmpty, "special and unknown ids are left out")
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

    @Test(arguments: [
        "bpe-gpt2", "bpe-llama3", "bpe-qwen2", "bpe-smollm", "bpe-normalized", "roberta", "sp-llama",
        "sp-first",
        "sp-unknown", "sp-single", "unigram", "unigram-bytes",
    ])
    func subwords(name: String) throws {
        let golden = try GoldenFiles.own("\(name)/golden.json", as: Subwords.self)
        let tokenizer = try SubwordTokenizer(directory: GoldenFiles.own.appending(path: name))
        var differences = Differences()
        for (index, text) in try Self.texts().enumerated() {
            differences.compare(tokenizer.encode(text), golden.ids[index], text)
            differences.compare(
                Array(tokenizer.decode(golden.ids[index]).utf8), Array(golden.decoded[index].utf8), text)
        }
        for row in golden.strays {
            differences.compare(Array(tokenizer.decode(row.ids).utf8), Array(row.text.utf8), "\(row.ids)")
        }
        for row in golden.pairs ?? [] {
            let got = tokenizer.encode(row.first, pairedWith: row.second, maximumLength: row.maximumLength)
            differences.compare(got.ids, row.ids, "\(row.first) + \(row.second), \(row.maximumLength ?? -1)")
            differences.compare(got.typeIDs, row.typeIDs, "types of \(row.first) + \(row.second)")
        }
        #expect(golden.strays.count >= 80)
        #expect(differences.count == 0, "\(differences)")
    }

    /// One tokenizer used by several threads at once gives what it gives alone.
    @Test func severalThreads() async throws {
        let texts = try Self.texts()
        let tokenizer = try MarianTokenizer(directory: GoldenFiles.own.appending(path: "marian"))
        let alone = texts.map(tokenizer.encodeSource)
        await withTaskGroup(of: [[Int]].self) { group in
            for _ in 0..<4 { group.addTask { texts.map(tokenizer.encodeSource) } }
            for await together in group { #expect(together == alone) }
        }
    }

    private struct Scalars: Decodable {
        let blocks: [UInt32]
        let hashes: [String: [UInt32]]
    }

    /// Nearly every assigned scalar inside of words, alone and beside an added token, in blocks of 1024.
    @Test(arguments: ["wordpiece", "wordpiece-cased", "bpe-llama3", "bpe-normalized"])
    func everyScalar(name: String) throws {
        let golden = try GoldenFiles.own("scalars.json", as: Scalars.self)
        let hashes = try #require(golden.hashes[name])
        let directory = GoldenFiles.own.appending(path: name)
        let tokenizer: any Tokenizer =
            name.hasPrefix("bpe")
            ? try SubwordTokenizer(directory: directory) : try WordPieceTokenizer(directory: directory)
        #expect(golden.blocks.count == hashes.count)
        for (start, hash) in zip(golden.blocks, hashes) {
            var text = String.UnicodeScalarView()
            for scalar in (start..<start + 1024).compactMap(Unicode.Scalar.init) {
                for part in ["a", "b1", " ", " only"] {
                    text.append(contentsOf: part.unicodeScalars)
                    text.append(scalar)
                }
            }
            let got = tokenizer.encode(String(text)).reduce(UInt32(0x811C_9DC5)) { hash, id in
                (0..<4).reduce(hash) { ($0 ^ UInt32(id >> (8 * $1) & 0xFF)) &* 0x0100_0193 }
            }
            #expect(got == hash, "U+\(String(start, radix: 16)) to U+\(String(start + 1023, radix: 16))")
        }
    }
}
