import BitplanModels
import BitplanTensors
import BitplanTokenizers
import Foundation
import TestSupport
import Testing

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

    /// A matrix may claim any height where it has no width; a loop over its rows took seconds.
    @Test(.timeLimit(.minutes(1)))
    func emptyAndTall() throws {
        let tensor = Bytes.Tensor("decoder_W1", shape: [.max, 0], data: Data())
        let file = try temporary(Bytes.binary([tensor, Bytes.settings()]))
        defer { try? FileManager.default.removeItem(at: file.deletingLastPathComponent()) }
        for _ in 0..<100 {
            #expect(try MarianCheckpoint(file).floats("decoder_W1", shape: [0, Int(Int32.max)]).isEmpty)
        }
    }

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
                "tensor 1: expected a name in UTF-8 without control characters that ends with NUL"
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
