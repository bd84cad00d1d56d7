import Foundation
import TestSupport
import Testing
import Tokenizers

/// SentencePiece is C++ and trusts its files; whatever a damaged one holds, loading and encoding must return.
@Suite struct DamagedModelTests {
    private static let model = TestFiles.shared.appending(path: "models/tatoeba-en-de")

    /// Everything below U+3000, and some usual text.
    private static let texts: [String] = {
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: (1..<0x3000).compactMap(Unicode.Scalar.init))
        return ["", "Hello world, how are you?", "中文 ok", "été ＦＵ Ⅷ", " a  b\tc", "😀", String(scalars)]
    }()

    @Test(.enabled(if: TestFiles.hasShared("models"), "needs ../shared/models"))
    func damagedModelsAreRefusedOrHarmless() throws {
        let sound = [UInt8](try Data(contentsOf: Self.model.appending(path: "source.spm")))
        let directory = try TemporaryDirectory(copying: ["target.spm", "vocab.json"], from: Self.model)
        var refused = 0
        for seed in UInt64(0)..<160 {
            var generator = SplitMix(state: seed)
            var bytes = sound
            // Cut short; hit anywhere; hit the specifications and the character map, which lie at the end.
            switch seed % 4 {
            case 0: bytes.removeLast(Int.random(in: 1..<bytes.count, using: &generator))
            case 1: damage(&bytes, 0..<bytes.count, upTo: 20, &generator)
            case 2: damage(&bytes, bytes.count - 240_000..<bytes.count, upTo: 200, &generator)
            default: damage(&bytes, bytes.count - 3000..<bytes.count, upTo: 3, &generator)
            }
            try directory.write(bytes, to: "source.spm")
            do {
                let tokenizer = try MarianTokenizer(directory: directory.url)
                for text in Self.texts {
                    let ids = tokenizer.encodeSource(text)
                    #expect(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains($0) }, "seed \(seed)")
                    _ = tokenizer.decode(ids)
                }
            } catch {
                refused += 1
                #expect(
                    "\(error)".contains("source.spm: not a SentencePiece model"), "seed \(seed): \(error)")
                #expect(!"\(error)".contains("\n"), "seed \(seed)")
            }
        }
        // Every file that was cut short, and some of the others.
        #expect(refused >= 40)
    }

    private func damage(
        _ bytes: inout [UInt8], _ range: Range<Int>, upTo count: Int, _ generator: inout SplitMix
    ) {
        for _ in 0..<Int.random(in: 1...count, using: &generator) {
            bytes[Int.random(in: range, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        }
    }
}

/// A directory that goes away with its owner.
final class TemporaryDirectory {
    let url: URL

    /// Holds copies of `files` of `source`.
    init(copying files: [String] = [], from source: URL? = nil) throws {
        url = FileManager.default.temporaryDirectory.appending(path: "bitplan-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        for file in files {
            guard let source else { break }
            try Data(contentsOf: source.appending(path: file)).write(to: url.appending(path: file))
        }
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: url.appending(path: name))
    }

    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: url.appending(path: name)), as: UTF8.self)
    }
}

/// A seeded generator (Steele et al. 2014), so that a failing case can be named.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
