import BitplanModels
import BitplanTensors
import BitplanTokenizers
import Foundation
import TestSupport
import Testing

/// Directories whose files do not fit together.
@Suite struct MarianNativeBadDirectoryTests {
    private func problem(_ change: (MarianNativeModel) throws -> Void) throws -> String {
        let made = try MarianNativeModel()
        try change(made)
        do {
            _ = try made.open()
            return ""
        } catch {
            let text = "\(error)".replacingOccurrences(of: made.directory.path, with: "DIR")
            #expect(!text.contains("\n"))
            return text
        }
    }

    private func remove(_ made: MarianNativeModel, _ name: String) throws {
        try FileManager.default.removeItem(at: made.file(name))
    }

    @Test func whatIsMissing() throws {
        #expect(
            try problem { try self.remove($0, "vocab.xxyy.spm") }
                == "DIR: no vocabulary: expected vocab*.spm, or srcvocab*.spm and trgvocab*.spm")
        #expect(
            try problem { try $0.copy("vocab.spm", to: "vocab.2.spm") }.hasPrefix(
                "DIR: has 2 vocabularies (vocab.2.spm, vocab.xxyy.spm)"))
        #expect(
            try problem {
                try self.remove($0, "model.npz")
                try $0.copy("ssru/lex.bin", to: "lex.bin")
            }
                == "DIR: no config.json, and no model of Marian's among lex.bin: expected a *.bin that starts with its version, or an *.npz"
        )
        #expect(
            try problem { try $0.write("models:\n  - other.bin\n", to: "config.yml") }
                == "DIR/config.yml: 'models': 'other.bin' is not there")
        #expect(
            try problem { try $0.write("models: [../model.npz]\n", to: "config.yml") }
                == "DIR/config.yml: 'models': '../model.npz': expected the name of a file beside it")
        #expect(
            try problem { try $0.write("models: [model.npz, model.npz]\n", to: "config.yml") }
                == "DIR/config.yml: 'models': an ensemble of 2 models is not supported: expected one")
        #expect(
            try problem { try $0.write("vocabs: [vocab.xxyy.spm]\n", to: "config.yml") }
                == "DIR/config.yml: 'vocabs': expected those of source and target, got 1")
        #expect(
            try problem { try $0.write("n-best: true\n", to: "config.yml") }
                == "DIR/config.yml: 'n-best': true is not supported: expected false")
        #expect(
            try problem { try $0.write("beam-cell-heuristics: 3\n", to: "config.yml") }
                == "DIR/config.yml: 'beam-cell-heuristics': 3 is not supported")
        #expect(
            try problem { try $0.write("max-length-factor: -1\n", to: "config.yml") }
                == "DIR/config.yml: 'max-length-factor': expected more than 0, up to 1000, got -1.0")
        #expect(
            try problem { try $0.write("a: b: c\n", to: "config.yml") }.hasPrefix("DIR/config.yml: line 1"))
    }

    @Test func vocabulariesThatDoNotFit() throws {
        func replaced(_ data: Data) throws -> String {
            try problem { try data.write(to: $0.file("vocab.xxyy.spm")) }
        }
        let goldens = MarianNativeModel.goldens
        #expect(
            try replaced(Data(contentsOf: goldens.appending(path: "trgvocab.spm")))
                == "DIR/vocab.xxyy.spm: has 48 pieces, the model's dim-vocabs say 56")
        let good = try Data(contentsOf: goldens.appending(path: "vocab.spm"))
        #expect(try replaced(good.prefix(300)).hasPrefix("DIR/vocab.xxyy.spm: not a SentencePiece model"))
        #expect(try replaced(Data("hello".utf8)).hasPrefix("DIR/vocab.xxyy.spm: not a SentencePiece model"))
        #expect(try replaced(Data()).hasPrefix("DIR/vocab.xxyy.spm: "))
        var other = good
        other.replaceSubrange(try #require(good.range(of: Data("</s>".utf8))), with: Data("</t>".utf8))
        #expect(
            try replaced(other)
                == "DIR/vocab.xxyy.spm: piece 0: expected '</s>' as in Marian's vocabularies, got '</t>'")
    }

    @Test func tensorsThatDoNotFit() throws {
        func edited(_ old: String, _ new: String) throws -> String {
            try problem { try $0.replace(old, new, in: "model.npz") }
        }
        #expect(
            try edited("dim-emb: 32", "dim-emb: 16").hasSuffix(
                "model.npz: tensor 'Wemb': expected shape [56, 16], got [56, 32]"))
        #expect(
            try edited("transformer-dim-ffn: 64", "transformer-dim-ffn: 60").hasSuffix(
                "model.npz: tensor 'encoder_l1_ffn_W1': expected shape [60, 32], got [64, 32]"))
        #expect(
            try edited("enc-depth: 2", "enc-depth: 1").contains(
                "tensor 'encoder_l2_ffn_W1' is none of the network that the file's settings describe"))
        #expect(
            try edited("enc-depth: 2", "enc-depth: 3").hasSuffix(
                "model.npz: has no tensor 'encoder.l3.self.q.weight'"))
        #expect(
            try edited("decoder_l1_rnn_Wf", "decoder_l1_rnn_Wg").contains(
                "tensor 'decoder_l1_rnn_Wg' is none of"))
    }

    @Test func shortlists() throws {
        let good = try Data(contentsOf: MarianNativeModel.goldens.appending(path: "ssru/lex.bin"))
        func problem(_ golden: String, _ data: Data) throws -> String {
            let made = try MarianNativeModel(golden)
            let file = made.file("lex.bin")
            try data.write(to: file)
            do {
                let model = try made.open()
                _ = try model.family.task.prepared(TaskOptions(shortlist: file))
                return ""
            } catch {
                return "\(error)".replacingOccurrences(of: made.directory.path, with: "DIR")
            }
        }
        #expect(try problem("ssru", good).isEmpty)
        #expect(
            try problem("ssru", Data("lex".utf8))
                == "DIR/lex.bin: is no shortlist: expected Marian's binary form")
        #expect(
            try problem("ssru", good.dropLast(4)).hasPrefix(
                "DIR/lex.bin: has \(good.count - 4) bytes, expected 48"))
        var damaged = good
        damaged[200] ^= 1
        #expect(try problem("ssru", damaged) == "DIR/lex.bin: is damaged: another checksum than it says")
        #expect(
            try problem("split", good).hasPrefix("DIR/lex.bin: has target token"),
            "56 source tokens, but 48 target tokens")
        let tokens = try MarianNativeModel("ssru")
        try tokens.copy("ssru/lex.bin", to: "lex.bin")
        let shortlist = try Shortlist(tokens.file("lex.bin"))
        #expect(throws: FileError.self) { try shortlist.check(source: 48, target: 56) }
        let bert = try BertFamily(
            directory: TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-bert"))
        let options = TaskOptions(shortlist: tokens.file("lex.bin"))
        #expect(throws: DataError.self) { try bert.task.prepared(options) }
        let opus = try MarianFamily(directory: TestFiles.root.appending(path: "Fixtures/tatoeba-en-de"))
        #expect(throws: DataError.self) { try opus.task.prepared(options) }
    }
}
