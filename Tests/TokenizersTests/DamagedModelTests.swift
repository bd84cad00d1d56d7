import BitplanTensors
import BitplanTokenizers
import Foundation
import TestSupport
import Testing

/// Whatever a damaged file holds, loading either says what is wrong or gives a tokenizer that works.
@Suite struct DamagedModelTests {
    /// Everything below U+3000, and some usual text.
    private static let texts: [String] = {
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: (1..<0x3000).compactMap(Unicode.Scalar.init))
        return ["", "Hello world, how are you?", "中文 ok", "été ＦＵ Ⅷ ... ﬁ", " a  b\tc", "😀", String(scalars)]
    }()

    /// SentencePiece is C++ and trusts its files.
    @Test func smallSentencePieceModels() throws {
        try damageSource(of: GoldenFiles.own.appending(path: "marian"), seeds: 0..<600, tail: 1000)
    }

    @Test
    func trainedSentencePieceModel() throws {
        try damageSource(
            of: TestFiles.root.appending(path: "Fixtures/tatoeba-en-de"), seeds: 0..<60, tail: 240_000)
    }

    /// Damages source.spm: cut short; hit anywhere; hit in its last `tail` bytes, where the character map
    /// lies.
    private func damageSource(of model: URL, seeds: Range<UInt64>, tail: Int) throws {
        let sound = [UInt8](try Data(contentsOf: model.appending(path: "source.spm")))
        let directory = try TemporaryDirectory(copying: ["target.spm", "vocab.json"], from: model)
        var refused = 0
        for seed in seeds {
            var generator = SeededGenerator(seed: seed)
            var bytes = sound
            switch seed % 4 {
            case 0: bytes.removeLast(Int.random(in: 1..<bytes.count, using: &generator))
            case 1: damage(&bytes, 0..<bytes.count, upTo: 20, &generator) { .random(in: 0...255, using: &$0) }
            case 2:
                damage(&bytes, bytes.count - tail..<bytes.count, upTo: 200, &generator) {
                    .random(in: 0...255, using: &$0)
                }
            default:
                damage(&bytes, bytes.count - tail..<bytes.count, upTo: 3, &generator) {
                    .random(in: 0...255, using: &$0)
                }
            }
            try directory.write(bytes, to: "source.spm")
            if let error = try exercise({ try MarianTokenizer(directory: directory.url) }, seed) {
                refused += 1
                #expect(error.contains("source.spm: not a SentencePiece model"), "seed \(seed): \(error)")
            }
        }
        #expect(refused > seeds.count / 8)
    }

    @Test func tokenizerJSON() throws {
        let alphabet = Array(#"{}[]",:0123456789-eEtrufalsn\"#.utf8)
        for name in ["bpe-llama3", "bpe-normalized", "wordpiece-json"] {
            let sound = Array(
                try String(
                    contentsOf: GoldenFiles.own.appending(path: "\(name)/tokenizer.json"), encoding: .utf8
                ).utf8)
            let directory = try TemporaryDirectory()
            var refused = 0
            for seed in UInt64(0)..<300 {
                var generator = SeededGenerator(seed: seed)
                var bytes = sound
                damage(&bytes, 0..<bytes.count, upTo: 2, &generator) {
                    alphabet.randomElement(using: &$0) ?? 0
                }
                try directory.write(bytes, to: "tokenizer.json")
                let error =
                    name.hasPrefix("bpe")
                    ? try exercise({ try SubwordTokenizer(directory: directory.url) }, seed)
                    : try exercise({ try WordPieceTokenizer(directory: directory.url) }, seed)
                if error != nil { refused += 1 }
            }
            #expect(refused > 100, "\(name)")
        }
    }

    /// Loads and uses a tokenizer; the text of the error where it cannot be loaded.
    private func exercise(_ load: () throws -> some Tokenizer, _ seed: UInt64) throws -> String? {
        do {
            let tokenizer = try load()
            for text in Self.texts {
                let ids = tokenizer.encode(text)
                #expect(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains($0) }, "seed \(seed)")
                _ = tokenizer.decode(ids)
            }
            _ = tokenizer.decode([-1, Int.max, Int.min, tokenizer.vocabularySize])
            return nil
        } catch let error as TokenizerError {
            let text = "\(error)"
            #expect(!text.contains { $0.isNewline }, "seed \(seed): \(text)")
            return text
        }
    }

    private func damage(
        _ bytes: inout [UInt8], _ range: Range<Int>, upTo count: Int, _ generator: inout SeededGenerator,
        _ byte: (inout SeededGenerator) -> UInt8
    ) {
        for _ in 0..<Int.random(in: 1...count, using: &generator) {
            bytes[Int.random(in: range, using: &generator)] = byte(&generator)
        }
    }
}
