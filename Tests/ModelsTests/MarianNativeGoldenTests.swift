import BitplanKernels
import BitplanMetrics
import BitplanModels
import BitplanTensors
import Foundation
import TestSupport
import Testing

/// Models in Marian's own format against a reference that is equal to Marian's engine on every line that was
/// tried.
@Suite struct MarianNativeGoldenTests {
    private struct Goldens: Decodable {
        struct Pair: Decodable {
            let source: [Int]
            let target: [Int]
        }
        let sources: [[Int]]
        let greedy: [[Int]]
        let forced: [Pair]
    }

    private struct Searches: Decodable {
        struct Search: Decodable {
            let beams: Int
            let normalize: Double?
            let word_penalty: Double?
            let ids: [[Int]]
        }
        struct Parts: Decodable {
            let longest: Int
            let greedy: [[Int]]
        }
        let sources: [[Int]]
        let beams: [Search]
        let parts: Parts
        let shortlist: [Search]?
    }

    /// A random model: the golden's folder, the file, and which goldens it has.
    struct Tiny: CustomTestStringConvertible {
        let model: String
        let file: String
        let goldens: String
        /// In the place of the version that the file says.
        var version: String?
        var testDescription: String { "\(model) \(file) \(version ?? "")" }
    }

    private static let tiny = [
        Tiny(model: "ssru", file: "model.npz", goldens: "float32"),
        Tiny(model: "ssru", file: "model.bin", goldens: "float32"),
        Tiny(model: "ssru", file: "model.int8.bin", goldens: "int8"),
        Tiny(model: "ssru", file: "model.int8m.bin", goldens: "int8m"),
        Tiny(model: "ssru16", file: "model.npz", goldens: "float32"),
        Tiny(model: "selfatt", file: "model.npz", goldens: "float32"),
        Tiny(model: "split", file: "model.npz", goldens: "float32"),
        Tiny(model: "prenorm", file: "model.npz", goldens: "float32-rawkv"),
        Tiny(model: "prenorm", file: "model.bin", goldens: "float32-rawkv"),
        Tiny(model: "prenorm", file: "model.npz", goldens: "float32", version: "v1.12.4"),
    ]

    private func decoded<Value: Decodable>(_ path: String) throws -> Value {
        try JSONDecoder().decode(
            Value.self, from: Data(contentsOf: MarianNativeModel.goldens.appending(path: path)))
    }

    private func withoutEnd(_ ids: [Int]) -> [Int] { ids.last == 0 ? ids.dropLast() : ids }

    @Test(arguments: tiny) func randomModels(_ tiny: Tiny) throws {
        let made = try MarianNativeModel(tiny.model, tiny.file)
        if let version = tiny.version { try made.replace("v1.9.56", version, in: tiny.file) }
        let network = try made.open().network()
        let name = "\(tiny.model)/golden.\(tiny.goldens)"
        let goldens: Goldens = try decoded(name + ".json")
        let tensors = try Safetensors(
            MarianNativeModel.goldens.appending(path: name + ".safetensors"))
        var worst: (encoder: Float, logits: Float) = (0, 0)
        for (index, pair) in goldens.forced.enumerated() {
            let state = network.state([.init(source: pair.source, target: pair.target)])
            let encoder = try tensors.floats("encoder.\(index)")
            let logits = try tensors.floats("logits.\(index)")
            let got = network.logits(network.outputs(state)).storage
            try #require(encoder.count == state.encoder.hidden.storage.count && logits.count == got.count)
            for (a, b) in zip(encoder, state.encoder.hidden.storage) {
                worst.encoder = max(worst.encoder, abs(a - b))
            }
            for (a, b) in zip(logits, got) { worst.logits = max(worst.logits, abs(a - b)) }
        }
        print("\(tiny.testDescription), largest deviation from the reference:", worst)
        #expect(worst.encoder < 1e-4 && worst.logits < 1e-4)
        let greedy = network.greedy(goldens.sources)
        #expect(greedy.map(withoutEnd) == goldens.greedy)
        #expect(goldens.sources.map { network.greedy([$0])[0] } == greedy, "alone as in a batch")
    }

    /// Beam searches with normalization and word penalty, and lines that are cut, as Marian and Bergamot have
    /// them.
    @Test(arguments: ["ssru", "selfatt"]) func searches(_ name: String) throws {
        let searches: Searches = try decoded("\(name)/search.json")
        for search in searches.beams {
            let made = try MarianNativeModel(name)
            try made.write(
                "beam-size: \(search.beams)\nnormalize: \(search.normalize ?? 1)\nword-penalty: \(search.word_penalty ?? 0)\n",
                to: "config.yml")
            let network = try made.open().network()
            #expect(network.translate(searches.sources) == search.ids, "\(search.beams) beams")
            #expect(
                searches.sources.map { network.translate([$0])[0] } == search.ids,
                "\(search.beams) beams alone")
        }
        let made = try MarianNativeModel(name)
        try made.write("max-length-break: \(searches.parts.longest)\n", to: "config.yml")
        let model = try made.open()
        let texts = searches.sources.map { model.family.tokenizer.source.decode($0) }
        let encoded = texts.map { model.family.tokenizer.encodeSource($0) }
        let whole = encoded.indices.filter { encoded[$0] == searches.sources[$0] }
        #expect(whole.count >= 10, "texts that are encoded as they were")
        let answers = try model.family.task.run(
            try model.network(), lines: whole.map { texts[$0] }, options: TaskOptions(batchSize: 3))
        let expected = whole.map { model.family.tokenizer.decode(searches.parts.greedy[$0]) }
        #expect(answers == expected)
        #expect(encoded.contains { $0.count > searches.parts.longest }, "something is cut")
    }

    /// With a shortlist each sentence sees its own tokens, whatever stands beside it.
    @Test func shortlists() throws {
        let searches: Searches = try decoded("ssru/search.json")
        let network = try MarianNativeModel().open().network()
        let shortlist = try Shortlist(MarianNativeModel.goldens.appending(path: "ssru/lex.bin"))
        for search in try #require(searches.shortlist) {
            let got = network.translate(searches.sources, beams: search.beams, shortlist: shortlist)
            #expect(got == search.ids, "\(search.beams) beams")
            let alone = searches.sources.map {
                network.translate([$0], beams: search.beams, shortlist: shortlist)[0]
            }
            #expect(alone == got)
        }
    }

    /// The forms of one model have one identity; several in a directory are told apart by name.
    @Test func oneOfSeveralFiles() throws {
        let made = try MarianNativeModel("ssru", "model.npz")
        try made.copy("ssru/lex.bin", to: "lex.bin")
        let alone = try made.open()
        try made.copy("ssru/model.bin", to: "model.bin")
        let error = #expect(throws: FileError.self) { try made.open() }
        #expect(
            error?.message == "has 2 models (model.bin, model.npz): name one (--weights)",
            "the shortlist is none")
        let named = try Model<MarianNativeFamily>(directory: made.file("model.bin"))
        for shape in alone.layout.sublayers.flatMap(\.matrices) {
            let (first, second) = (try alone.matrix(shape), try named.matrix(shape))
            #expect(first == second, "\(shape.tensor)")
        }
        let (first, second) = (try alone.vectors(), try named.vectors())
        #expect(first == second)
        try made.write("models:\n  - model.npz\n", to: "config.yml")
        #expect(try made.open().checkpoint.file.lastPathComponent == "model.npz")
    }

    @Test func sublayersAndSizes() throws {
        let model = try MarianNativeModel("split").open()
        #expect(
            Set(model.layout.sublayers.map(\.name.kind)) == [
                .embedding, .encoderSelfAttention, .encoderFeedForward, .decoderRecurrence,
                .decoderCrossAttention, .decoderFeedForward, .vectors,
            ])
        #expect(model.checkpoint.integerFileBytes == nil)
        let integers = try MarianNativeModel("ssru", "model.int8.bin").open()
        #expect(integers.checkpoint.integerFileBytes == 54528)
        let network = try model.network()
        #expect(network.tokenMatrices == ["encoder.embedding.weight", "decoder.embedding.weight"])
        #expect(network.tokenRows(.init(source: [3, 4, 0], target: [5, 0])) == [[3, 4, 0], [5, 0]])
    }
}

/// Where the published English-Portuguese model lies, and its goldens.
private enum Bergamot {
    private static let directory: URL =
        ProcessInfo.processInfo.environment["BITPLAN_BERGAMOT"].map { URL(filePath: $0) }
        ?? FileManager.default.homeDirectoryForCurrentUser.appending(path: ".cache/bitplan-models/bergamot")
    static let model = directory.appending(path: "en-pt")
    private static let path = "models/bergamot/goldens/en-pt"
    static let goldens = TestFiles.shared.appending(path: path)
    static let isThere =
        FileManager.default.fileExists(atPath: model.appending(path: "model.bin").path)
        && TestFiles.hasShared(path)
}

/// The published English-Portuguese model, fetched by `../shared/tools/fetch_bergamot.py`.
@Suite(
    .enabled(
        if: Bergamot.isThere,
        "needs BITPLAN_BERGAMOT or ~/.cache/bitplan-models/bergamot, made by ../shared/tools/fetch_bergamot.py, and ../shared/models/bergamot"
    ))
struct BergamotTests {
    private struct Sentence: Decodable {
        let source: String
        let source_ids: [Int]
        let greedy_ids: [Int]
        let greedy: String
        let greedy_shortlist_ids: [Int]
        let greedy_shortlist: String
    }

    private struct Configuration: Decodable {
        struct Tensors: Decodable {
            let n: Int
            let source_ids: [Int]
        }
        let tensors: [Tensors]
    }

    private func withoutEnd(_ ids: [Int]) -> [Int] { ids.last == 0 ? ids.dropLast() : ids }

    @Test func goldens() throws {
        let folder = Bergamot.goldens
        let sentences = try JSONDecoder().decode(
            [Sentence].self, from: Data(contentsOf: folder.appending(path: "sentences.json")))
        let model = try Model<MarianNativeFamily>(directory: Bergamot.model)
        #expect(model.layout.parameterCount == 16_907_008)
        #expect(model.checkpoint.integerFileBytes == 17_140_836)
        let network = try model.network()
        let shortlist = try Shortlist(Bergamot.model.appending(path: "lex.bin"))
        let sources = sentences.map { model.family.tokenizer.encodeSource($0.source) }
        #expect(sources == sentences.map(\.source_ids))
        let greedy = network.greedy(sources)
        #expect(greedy.map(withoutEnd) == sentences.map(\.greedy_ids))
        #expect(greedy.map { model.family.tokenizer.decode($0) } == sentences.map(\.greedy))
        let short = network.greedy(sources, shortlist: shortlist)
        #expect(short.map(withoutEnd) == sentences.map(\.greedy_shortlist_ids))
        #expect(short.map { model.family.tokenizer.decode($0) } == sentences.map(\.greedy_shortlist))
    }

    @Test func states() throws {
        let folder = Bergamot.goldens
        let configuration = try JSONDecoder().decode(
            Configuration.self, from: Data(contentsOf: folder.appending(path: "config.json")))
        let arrays = try NumpyArchive(folder.appending(path: "tensors.npz"))
        let network = try Model<MarianNativeFamily>(directory: Bergamot.model).network()
        var worst: (encoder: Float, logits: Float, logSumExp: Float) = (0, 0, 0)
        for item in configuration.tensors {
            let target = try arrays.floats("targets.\(item.n)").map { Int($0) }
            let state = network.state([.init(source: item.source_ids, target: target)])
            for (a, b) in zip(try arrays.floats("encoder.\(item.n)"), state.encoder.hidden.storage) {
                worst.encoder = max(worst.encoder, abs(a - b))
            }
            let logits = network.logits(network.outputs(state))
            let (ids, values) = (
                try arrays.floats("top20_ids.\(item.n)"), try arrays.floats("top20.\(item.n)")
            )
            for place in ids.indices {
                let got = logits[place / 20, Int(ids[place])]
                worst.logits = max(worst.logits, abs(got - values[place]))
            }
            for (row, expected) in try arrays.floats("logsumexp.\(item.n)").enumerated() {
                let got = logits[row: row].withUnsafeBufferPointer {
                    $0.baseAddress.map { logSumExp($0, count: logits.columns) } ?? .nan
                }
                worst.logSumExp = max(worst.logSumExp, abs(got - expected))
            }
        }
        print("en-pt, largest deviation from the reference:", worst)
        #expect(worst.encoder < 1e-3 && worst.logits < 1e-3 && worst.logSumExp < 1e-3)
    }

    /// The reference has 34.93 BLEU without and 34.87 with the shortlist.
    @Test(arguments: [(false, 34.93), (true, 34.87)])
    func translationsOfNTREX(_ usesShortlist: Bool, _ expected: Double) throws {
        let files = ["ntrex.en", "ntrex.pt-BR"].map { TestFiles.shared.appending(path: "data/\($0)") }
        let model = try Model<MarianNativeFamily>(directory: Bergamot.model)
        let options = TaskOptions(
            shortlist: usesShortlist ? Bergamot.model.appending(path: "lex.bin") : nil)
        let task = try model.family.task.prepared(options)
        let data = try task.dataset(files, limit: nil)
        #expect(data.examples.count == 998)
        let score = try task.score(try model.network(), on: data, options: options)
        let bleu = try #require(score.values.first)
        print("en-pt, NTREX:", score.values.map { "\($0.name) \($0.value)" })
        #expect(bleu.name == "bleu" && abs(bleu.value - expected) <= 0.02)
    }
}
