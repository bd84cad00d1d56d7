import BitplanModels
import BitplanTensors
import BitplanTokenizers
import Foundation
import TestSupport
import Testing

/// Bytes of files as Marian and NumPy write them, with whatever is to be wrong in them.
private enum Bytes {
    static func number(_ value: UInt64, _ width: Int = 8) -> Data {
        withUnsafeBytes(of: value.littleEndian) { Data($0.prefix(width)) }
    }

    struct Tensor {
        var name: Data
        var code: UInt64 = 0x404
        var shape: [Int32] = [2]
        var data = Data(repeating: 0, count: 8)
        var length: UInt64?
        var rank: UInt64?

        init(_ name: String, code: UInt64 = 0x404, shape: [Int32] = [2], data: Data? = nil) {
            self.name = Data(name.utf8) + [0]
            self.code = code
            self.shape = shape
            self.data = data ?? Data(repeating: 0, count: 8)
        }
    }

    static func settings(_ text: String = "type: transformer\n") -> Tensor {
        Tensor(
            "special:model.yml", code: 0x101, shape: [Int32(text.utf8.count + 1)],
            data: Data(text.utf8) + [0])
    }

    static func binary(
        _ tensors: [Tensor], version: UInt64 = 1, count: UInt64? = nil, filling: UInt64 = 0
    ) -> Data {
        var data = number(version) + number(count ?? UInt64(tensors.count))
        for tensor in tensors {
            data += number(UInt64(tensor.name.count)) + number(tensor.code)
            data += number(tensor.rank ?? UInt64(tensor.shape.count))
            data += number(tensor.length ?? UInt64(tensor.data.count))
        }
        for tensor in tensors { data += tensor.name }
        for extent in tensors.flatMap(\.shape) { data += number(UInt64(UInt32(bitPattern: extent)), 4) }
        data += number(filling)
        for tensor in tensors { data += tensor.data }
        return data
    }

    static func array(_ header: String, _ data: Data, length: UInt64? = nil) -> Data {
        Data([0x93] + Array("NUMPY".utf8) + [1, 0]) + number(length ?? UInt64(header.utf8.count), 2)
            + Data(header.utf8) + data
    }

    static func archive(_ members: [(name: String, data: Data)], method: UInt64 = 0) -> Data {
        var (data, directory) = (Data(), Data())
        for (name, content) in members {
            let sizes = number(0, 4) + number(UInt64(content.count), 4) + number(UInt64(content.count), 4)
            let names = number(UInt64(name.utf8.count), 2)
            directory +=
                Data("PK\u{1}\u{2}".utf8) + number(20, 2) + number(20, 2) + number(0, 2) + number(method, 2)
                + number(0, 4) + sizes + names + number(0, 8) + number(0, 4) + number(UInt64(data.count), 4)
                + Data(name.utf8)
            data +=
                Data("PK\u{3}\u{4}".utf8) + number(20, 2) + number(0, 2) + number(method, 2) + number(0, 4)
                + sizes + names + number(0, 2) + Data(name.utf8) + content
        }
        return data + directory + Data("PK\u{5}\u{6}".utf8) + number(0, 4)
            + number(UInt64(members.count), 2) + number(UInt64(members.count), 2)
            + number(UInt64(directory.count), 4) + number(UInt64(data.count), 4) + number(0, 2)
    }
}

/// Files in Marian's own format with something wrong: one line each.
@Suite struct MarianNativeBadFileTests {
    private func temporary(_ data: Data, _ name: String = "model.bin") throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let file = directory.appending(path: name)
        try data.write(to: file)
        return file
    }

    /// What opening a file of weights and reading a vector of two says.
    private func problem(_ data: Data, _ name: String = "model.bin") throws -> String {
        let file = try temporary(data, name)
        defer { try? FileManager.default.removeItem(at: file.deletingLastPathComponent()) }
        do {
            _ = try MarianCheckpoint(file).floats("w", shape: [2])
            return ""
        } catch {
            #expect(error.path == file.path && !error.message.contains("\n"))
            return error.message
        }
    }

    private static let good = Bytes.Tensor("w", data: Data([0, 0, 128, 63, 0, 0, 0, 64]))

    @Test func binaries() throws {
        let settings = Bytes.settings()
        func changed(_ change: (inout Bytes.Tensor) -> Void) -> [Bytes.Tensor] {
            var tensor = Self.good
            change(&tensor)
            return [tensor, settings]
        }
        #expect(try problem(Bytes.binary([Self.good, settings])).isEmpty)
        #expect(try problem(Bytes.binary(changed { $0.data += [9, 9] })).isEmpty, "padded data")
        let cases: [(Data, String)] = [
            (Data(), "the model is truncated: 8 bytes needed at 0, the file has 0"),
            (
                Bytes.binary([settings], version: 2),
                "binary version 2 is not supported: expected 1 (2 is encrypted)"
            ),
            (Bytes.binary([settings], version: 7), "binary version 7 is not supported: expected 1"),
            (
                Bytes.binary([settings], count: 1 << 40),
                "truncated: 1099511627776 tensors have headers of 32 bytes"
            ),
            (Bytes.binary([settings], count: .max), "a size of 18446744073709551615 at byte 8 of the model"),
            (
                Bytes.binary([settings], filling: 1 << 50),
                "the model is truncated: 1125899906842624 bytes needed"
            ),
            (Bytes.binary([Self.good]), "has no 'special:model.yml', which describes the network"),
            (Bytes.binary([Self.good, Self.good, settings]), "tensor 'w' occurs twice"),
            (
                Bytes.binary(changed { $0.name = Data("w".utf8) }),
                "tensor 1: expected a name in UTF-8 that ends with NUL"
            ),
            (Bytes.binary(changed { $0.name = Data([0xFF, 0]) }), "tensor 1: expected a name in UTF-8"),
            (Bytes.binary(changed { $0.rank = 9 }), "tensor 'w': expected up to 8 axes, got 9"),
            (Bytes.binary(changed { $0.shape = [-2] }), "tensor 'w': shape [-2] is negative or too large"),
            (
                Bytes.binary(changed { $0.shape = [.max, .max, .max] }),
                "tensor 'w': shape [2147483647, 2147483647, 2147483647] is negative or too large"
            ),
            (
                Bytes.binary(changed { $0.shape = [3] }),
                "tensor 'w': shape [3] needs 12 bytes, the file has 8"
            ),
            (
                Bytes.binary(changed { $0.length = 1 << 40 }),
                "the model is truncated: 1099511627776 bytes needed"
            ),
            (
                Bytes.binary(changed { $0.code = 0x11001 }),
                "tensor 'w': type 0x11001 is not supported: expected floats, or intgemm's integers that are not arranged for one processor"
            ),
            (Bytes.binary(changed { $0.code = 0x802 }), "tensor 'w': type 0x802 is not supported"),
            (Bytes.binary(changed { $0.code = 0x101 }), "tensor 'w': expected floats or intgemm's integers"),
            (Bytes.binary(changed { $0.shape = [1, 2] }), "tensor 'w': expected shape [2], got [1, 2]"),
            (
                Bytes.binary(changed { $0.data = Data([0, 0, 0x80, 0x7F, 0, 0, 0x80, 0x7F]) }),
                "tensor 'w': inf at element 0"
            ),
            // A multiplier of 0.
            (
                Bytes.binary(
                    changed {
                        $0.code = 0x4101; $0.data = Data([3, 4, 0, 0, 0, 0])
                    }),
                "tensor 'w': inf at element 0"
            ),
        ]
        for (data, expected) in cases {
            let got = try problem(data)
            #expect(got.hasPrefix(expected), "\(expected): \(got)")
        }
    }

    /// Every type of number, and how matrices lie: as (in, out), but integers turned, but embeddings as they
    /// are.
    @Test func numbersAndMatrices() throws {
        func read(_ name: String, _ code: UInt64, _ shape: [Int32], _ data: Data, _ own: [Int]) throws
            -> [Float]
        {
            let tensor = Bytes.Tensor(name, code: code, shape: shape, data: data)
            let file = try temporary(Bytes.binary([tensor, Bytes.settings()]))
            defer { try? FileManager.default.removeItem(at: file.deletingLastPathComponent()) }
            let checkpoint = try MarianCheckpoint(file)
            #expect(checkpoint.shapes == [name: own])
            #expect((checkpoint.integerFileBytes != nil) == (code > 0x1000))
            return try checkpoint.floats(name, shape: own)
        }
        func bytes<Element>(_ values: [Element]) -> Data { values.withUnsafeBytes { Data($0) } }
        let (two, shape): ([Float], [Int32]) = ([0.5, -1], [1, 2])
        #expect(try read("b", 0x404, shape, bytes(two), [1, 2]) == two)
        #expect(try read("b", 0x408, shape, bytes([0.5, -1.0]), [1, 2]) == two)
        #expect(try read("b", 0x402, shape, bytes([0x3800, 0xBC00] as [UInt16]), [1, 2]) == two)
        for code: UInt64 in [0x4101, 0x10001] {
            #expect(
                try read("b", code, shape, bytes([64, -128] as [Int8]) + bytes([128 as Float]), [1, 2]) == two
            )
        }
        for code: UInt64 in [0x4102, 0x10002] {
            let stored = bytes([512, -1024] as [Int16]) + bytes([1024 as Float])
            #expect(try read("b", code, shape, stored, [1, 2]) == two)
        }
        let floats = bytes([1, 2, 3, 4, 5, 6] as [Float])
        let integers = bytes([1, 2, 3, 4, 5, 6] as [Int8]) + bytes([1 as Float])
        let (rows, turned): ([Float], [Float]) = ([1, 2, 3, 4, 5, 6], [1, 4, 2, 5, 3, 6])
        #expect(try read("l1_Wq", 0x404, [2, 3], floats, [3, 2]) == turned)
        #expect(try read("l1_Wq", 0x4101, [2, 3], integers, [3, 2]) == rows)
        #expect(try read("l1_rnn_W", 0x404, [2, 3], floats, [3, 2]) == turned)
        #expect(try read("encoder_Wemb", 0x404, [2, 3], floats, [2, 3]) == rows)
        #expect(try read("encoder_Wemb", 0x4101, [2, 3], integers, [2, 3]) == rows)
        #expect(try read("decoder_ff_logit_out_Wt", 0x404, [2, 3], floats, [2, 3]) == rows)
        #expect(try read("decoder_ff_logit_out_Wt", 0x4101, [3, 2], integers, [3, 2]) == turned)
        #expect(try read("decoder_ff_logit_out_W", 0x404, [2, 3], floats, [3, 2]) == turned)
    }

    @Test func archives() throws {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n"
        let numbers = Self.good.data
        let text = Data("type: transformer\n\0".utf8)
        let settings = (
            "special:model.yml.npy",
            Bytes.array("{'descr': '|i1', 'fortran_order': False, 'shape': (\(text.count),), }\n", text)
        )
        func with(_ name: String, _ data: Data) -> Data { Bytes.archive([(name, data), settings]) }
        #expect(try problem(with("w.npy", Bytes.array(header, numbers)), "model.npz").isEmpty)
        let expectedType = "tensor 'w': expected '<f4', '<f2', '<f8' or '|i1' in the order of rows"
        let cases: [(Data, String)] = [
            (Bytes.archive([settings], method: 8), "'special:model.yml.npy' is compressed (method 8)"),
            (with("/etc/passwd.npy", numbers), "'/etc/passwd.npy': expected arrays alone"),
            (with("../w.npy", numbers), "'../w.npy': expected arrays alone"),
            (with("w.txt", numbers), "'w.txt': expected arrays alone"),
            (
                Bytes.archive([("w.npy", Bytes.array(header, numbers)), ("w.npy", numbers), settings]),
                "'w.npy' is in the archive twice"
            ),
            (with("w.npy", Data("no array, no array".utf8)), "tensor 'w': expected an .npy file"),
            (
                with("w.npy", Bytes.array(header, numbers, length: 60000)),
                "tensor 'w': truncated in its header"
            ),
            (
                with("w.npy", Bytes.array(header.replacingOccurrences(of: "False", with: "True"), numbers)),
                expectedType
            ),
            (
                with("w.npy", Bytes.array(header.replacingOccurrences(of: "<f4", with: ">f4"), numbers)),
                expectedType
            ),
            (
                with("w.npy", Bytes.array(header.replacingOccurrences(of: "2,", with: "x,"), numbers)),
                expectedType
            ),
            (
                with("w.npy", Bytes.array(header.replacingOccurrences(of: "2,", with: "3,"), numbers)),
                "tensor 'w': shape [3] needs 12 bytes, the file has 8"
            ),
            (
                with("w.npy", Bytes.array(header.replacingOccurrences(of: "2,", with: "-2,"), numbers)),
                "tensor 'w': shape [-2] is negative or too large"
            ),
            (Bytes.archive([("w.npy", Bytes.array(header, numbers))]), "has no 'special:model.yml'"),
            (with("w.npy", Bytes.array(header, numbers)).dropLast(30), "is no ZIP archive"),
        ]
        for (data, expected) in cases {
            let got = try problem(data, "model.npz")
            #expect(got.hasPrefix(expected), "\(expected): \(got)")
        }
    }

    /// Any byte of a good file may be wrong, and it may end anywhere: an error or other numbers, never a
    /// crash.
    @Test(arguments: ["model.int8.bin", "model.npz"]) func damagedFilesNeverCrash(_ name: String) throws {
        let good = try Data(contentsOf: MarianNativeModel.goldens.appending(path: "ssru/\(name)"))
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededGenerator(seed: seed)
        let made = try MarianNativeModel("ssru", name)
        var refused = 0
        for round in 0..<300 {
            var bad = good
            if round % 3 == 0 {
                bad = bad.prefix(generator.index(below: good.count))
            } else {
                for _ in 0..<1 + generator.index(below: 4) {
                    // The header of a binary stands in front, the directory of an archive behind.
                    let place = generator.index(below: 6000)
                    bad[name == "model.npz" ? good.count - 1 - place : place] =
                        UInt8(generator.index(below: 256))
                }
            }
            try bad.write(to: made.file(name))
            do {
                let model = try Model<MarianNativeFamily>(directory: made.file(name))
                for shape in model.layout.sublayers.flatMap(\.matrices) { _ = try? model.matrix(shape) }
            } catch {
                refused += 1
                #expect(!"\(error)".contains("\n"), "seed \(seed): \(error)")
            }
        }
        #expect(refused > 100, "seed \(seed)")
    }

    /// A network's settings, every line of them as `special:model.yml` has it.
    private static let network = """
        type: transformer
        dim-emb: 32
        dim-vocabs:
          - 56
          - 56
        enc-depth: 2
        dec-depth: 1
        transformer-heads: 4
        transformer-dim-ffn: 64
        transformer-ffn-activation: relu
        transformer-decoder-autoreg: rnn
        dec-cell: ssru
        tied-embeddings-all: true
        version: v1.9.56

        """

    private func refusal(_ settings: String) throws -> String {
        let file = try temporary(Bytes.binary([Bytes.settings(settings)]))
        defer { try? FileManager.default.removeItem(at: file.deletingLastPathComponent()) }
        let error = #expect(throws: FileError.self, "\(settings.prefix(60))") {
            _ = try MarianNativeConfiguration(try modelSettings(of: file))
        }
        #expect(error?.message.contains("\n") == false)
        return error?.message ?? ""
    }

    @Test func settingsThatAreNoFlatYAML() throws {
        for (line, expected) in [
            ("dim-emb: 32", "line 16: 'dim-emb' was there before"),
            ("- 3", "line 16: expected a scalar of a list"),
            ("a: {b: c}", "line 16: expected a scalar or a list of scalars behind 'a'"),
            ("a: &b c", "line 16: expected a scalar or a list"),
            ("a: *b", "line 16: expected a scalar or a list"),
            ("a: |", "line 16: expected a scalar or a list"),
            ("a: 'b", "line 16: expected a scalar or a list"),
            ("a: [b, [c]]", "line 16: expected a scalar or a list"),
            ("a: [b", "line 16: expected a scalar or a list"),
            ("a: b: c", "line 16: expected a scalar or a list"),
            ("  a: b", "line 16: expected 'key: value', not indented"),
            ("a", "line 16: expected 'key: value', not indented, got 'a'"),
            ("\u{1b}[2J", "line 16: expected 'key: value', not indented, got ' [2J'"),
            (String(repeating: "x", count: 2 << 20), "settings of 2097"),
            ("input-types:\n" + String(repeating: "- a\n", count: 10000), "'input-types' is not supported"),
            ("a: b #c: 'd'\na: e", "line 17: 'a' was there before"),
        ] {
            // Line 15 is the empty one behind the settings.
            let got = try refusal(Self.network + "\n" + line)
            #expect(got.hasPrefix(expected), "\(expected): \(got)")
        }
    }

    @Test(arguments: [
        ("type: amun", "'type': 'amun' is not supported: expected 'transformer'"),
        ("dim-emb: 31", "'dim-emb': 31 is not supported: expected a multiple of 2 from 4 on"),
        ("dim-emb: x", "'dim-emb': expected an integer, got x"),
        ("dim-vocabs: [56]", "'dim-vocabs': expected the sizes of two vocabularies"),
        ("dim-vocabs: [56, 0]", "'dim-vocabs': 0 is not supported"),
        ("dim-vocabs: [56, 48]", "'dim-vocabs': 56 and 48 is not supported: expected one size"),
        ("enc-depth: 5000", "'enc-depth': 5000 is not supported: expected up to 1024"),
        ("enc-depth: 0", "'enc-depth': expected a size from 1"),
        ("transformer-heads: 5", "'transformer-heads': 5 is not supported: expected a divisor of 32"),
        ("transformer-ffn-activation: gelu", "'transformer-ffn-activation': 'gelu' is not supported"),
        ("transformer-ffn-depth: 3", "'transformer-ffn-depth': 3 is not supported: expected 2"),
        (
            "transformer-decoder-ffn-depth: 1",
            "'transformer-decoder-ffn-depth': 1 is not supported: expected 0 or 2"
        ),
        (
            "transformer-decoder-autoreg: average-attention",
            "'transformer-decoder-autoreg': 'average-attention' is not supported"
        ),
        ("dec-cell: gru", "'dec-cell': 'gru' is not supported: expected 'ssru'"),
        ("transformer-postprocess: dhn", "'transformer-postprocess': 'dhn' is not supported: expected 'an'"),
        ("transformer-postprocess: dar", "'transformer-postprocess': 'dar' is not supported: expected 'an'"),
        (
            "transformer-postprocess-emb: n",
            "'transformer-postprocess-emb': 'n' is not supported: expected ''"
        ),
        ("transformer-postprocess-top: a", "'transformer-postprocess-top': 'a' is not supported"),
        ("transformer-preprocess: n", "'transformer-postprocess': 'dan' is not supported: expected 'a'"),
        (
            "transformer-train-position-embeddings: true",
            "'transformer-train-position-embeddings': true is not supported: expected false"
        ),
        ("transformer-tied-layers:\n  - 1", "'transformer-tied-layers' is not supported"),
        ("transformer-rnn-projection: true", "'transformer-rnn-projection': true is not supported"),
        ("transformer-no-projection: true", "'transformer-no-projection': true is not supported"),
        ("transformer-attention-mask: alibi", "'transformer-attention-mask': 'alibi' is not supported"),
        ("layer-normalization: true", "'layer-normalization': true is not supported"),
        ("lemma-dim-emb: 64", "'lemma-dim-emb': 64 is not supported: expected 0"),
        ("right-left: true", "'right-left': true is not supported"),
        ("ulr: true", "'ulr': true is not supported"),
        ("input-types:\n  - class", "'input-types' is not supported"),
        ("transformer-newer-thing: 3", "'transformer-newer-thing': 3 is not supported"),
    ])
    func whatNetworksDoNotHave(_ line: String, _ expected: String) throws {
        let key = line.prefix { $0 != ":" }
        // The line stands in the place of the same key's.
        var settings = Self.network
        if settings.contains("\(key): ") {
            settings = settings.split(separator: "\n").map {
                $0.hasPrefix("\(key):") ? line : String($0)
            }.joined(separator: "\n")
        } else {
            settings =
                settings.replacingOccurrences(
                    of: "dim-vocabs:\n  - 56\n  - 56\n",
                    with: key == "dim-vocabs" ? "" : "dim-vocabs: [56, 56]\n") + line
        }
        let got = try refusal(settings)
        #expect(got.hasPrefix(expected), "\(got)")
    }

    /// Which keys pre-norm networks of versions between saw is not known.
    @Test func preNormOfOtherVersions() throws {
        let settings =
            Self.network.replacingOccurrences(of: "v1.9.56", with: "v1.10.2")
            + "transformer-preprocess: n\ntransformer-postprocess: da\n"
        #expect(try refusal(settings).hasPrefix("'version': 'v1.10.2' with 'transformer-preprocess' 'n'"))
    }

    /// Harmless keys and empty ones are passed over; keys that ask for nothing too.
    @Test func whatSaysNothing() throws {
        let more =
            "# a comment\ndim-rnn: 1024 # another\nenc-cell: 'gru' # 'one'\nseparator-symbol: \"[eos] #\"\ninput-types: []\nsomething-new: false\ntransformer-tied-layers:\n  []\n"
        let file = try temporary(Bytes.binary([Bytes.settings(Self.network + more)]))
        defer { try? FileManager.default.removeItem(at: file.deletingLastPathComponent()) }
        let configuration = try MarianNativeConfiguration(try modelSettings(of: file))
        #expect(configuration.isRecurrent && configuration.width == 32 && configuration.sharesEmbedding)
    }
}

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
