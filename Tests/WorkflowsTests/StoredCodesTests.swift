import BitplanEncoding
import BitplanKernels
import BitplanModels
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Codes that lie beside a model are packed as they are, or refused in one line.
@Suite struct StoredCodesTests {
    private static let model = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-bert")
    private let root = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
    private var trained: URL { root.appending(path: "trained") }

    /// What codes.safetensors holds.
    struct Content {
        var parts: [String: PackedTensor]
        var metadata: [String: String]

        /// Replaces elements of a part by bytes.
        mutating func set(_ name: String, at byte: Int = 0, _ bytes: [UInt8]) {
            guard let part = parts[name] else { return }
            var data = Data(part.bytes)
            data.replaceSubrange(byte..<byte + bytes.count, with: bytes)
            parts[name] = PackedTensor(type: part.type, shape: part.shape, bytes: data)
        }

        /// The same, FP32 numbers.
        mutating func set(_ name: String, _ number: Float) {
            set(name, withUnsafeBytes(of: number.bitPattern.littleEndian) { [UInt8]($0) })
        }
    }

    /// Packs the model by a scheme, and lays the codes beside a copy of it as `change` has them.
    private func store(
        _ scheme: Scheme, _ change: (inout Content) throws -> Void = { _ in }
    ) throws -> (plan: Plan, packed: Data) {
        try? FileManager.default.removeItem(at: root)
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        let (text, packed) = (root.appending(path: "text.txt"), root.appending(path: "packed"))
        try Data("good film\nbad film the not\n".utf8).write(to: text)
        let model = try Model<BertFamily>(directory: Self.model)
        let plan = Plan(model: try model.identity(), fit: .greedy, sublayers: ["*": scheme])
        _ = try quantize(
            BertFamily.self, model: Self.model, plan: plan, text: DataSource(files: [text]), to: packed)
        let opened = try PackedModel<BertFamily>(directory: packed)
        var content = Content(
            parts: [:],
            metadata: [
                "format": "bitplan", "layout_version": "\(PackedModel<BertFamily>.layoutVersion)",
                "plan": String(decoding: try JSONFile.data(plan), as: UTF8.self),
            ])
        for shape in model.layout.sublayers.flatMap(\.matrices) {
            for (name, part) in try opened.packed(shape).parts {
                content.parts["\(shape.tensor).\(name)"] = part
            }
        }
        try change(&content)
        try FileManager.default.createDirectory(at: trained, withIntermediateDirectories: true)
        for name in ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"] {
            try FileManager.default.copyItem(
                at: Self.model.appending(path: name), to: trained.appending(path: name))
        }
        // The widest first, so that all are aligned.
        let names = content.parts.keys.sorted {
            let sizes = [$0, $1].map { content.parts[$0]?.type.sizeInBytes ?? 0 }
            return (sizes[1], $0) < (sizes[0], $1)
        }
        try SafetensorsWriter.write(
            names.compactMap { name in
                content.parts[name].map { .init(name: name, type: $0.type, shape: $0.shape) }
            }, metadata: content.metadata, to: trained.appending(path: "codes.safetensors")
        ) { content.parts[$0.name]?.bytes ?? Data() }
        return (plan, try Data(contentsOf: packed.appending(path: "model.safetensors")))
    }

    private func pack(_ plan: Plan? = nil) throws -> Int {
        let plan = try plan ?? StoredCodes<BertFamily>(directory: trained).plan
        return try quantize(
            BertFamily.self, model: trained, plan: plan, text: nil, to: root.appending(path: "again"))
    }

    @Test(arguments: EveryScheme.list + (Scheme.list("tcq2:h,tcq3:c:h") ?? []))
    func equalBytes(_ scheme: Scheme) throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let (plan, packed) = try store(scheme)
        let bytes = try pack()
        let again = root.appending(path: "again")
        #expect(try Data(contentsOf: again.appending(path: "model.safetensors")) == packed)
        #expect(packed.count == bytes)
        let opened = try PackedModel<BertFamily>(directory: again)
        #expect(opened.plan.fit == .stored && opened.plan.sublayers == plan.sublayers)
        #expect(opened.plan.model == plan.model)
        #expect(!FileManager.default.fileExists(atPath: again.appending(path: "codes.safetensors").path))
    }

    /// Weights that training has moved are another model: what counts is the plan beside the codes.
    @Test func planOfOtherCodes() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        var (plan, _) = try store(try #require(Scheme("bcq2")))
        plan.fit = .stored
        #expect(try pack(plan) > 0)
        for other in [
            Plan(model: plan.model, fit: .stored, sublayers: ["*": .bcq(3)]),
            Plan(model: ModelIdentity(type: "bert", sha256: "00"), fit: .stored, sublayers: plan.sublayers),
        ] {
            let error = #expect(throws: FileError.self) { try pack(other) }
            #expect(error?.message == "has codes of another plan than the one that is to be packed")
        }
    }

    /// A checkpoint with codes beside it stands for the model that training began with: the engine may fit
    /// its weights anew.
    @Test func weightsAreCodedAnew() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let (start, packed) = try store(try #require(Scheme("bcq2"))) {
            $0.metadata["plan"] = $0.metadata["plan"]?.replacing("\"sha256\" : \"", with: "\"sha256\" : \"00")
        }
        var plan = start
        let error = #expect(throws: PlanError.self) {
            try pack(Plan(model: ModelIdentity(type: "bert", sha256: "11"), sublayers: plan.sublayers))
        }
        #expect(error?.description.hasPrefix("is for another model") == true)
        plan.model = try StoredCodes<BertFamily>(directory: trained).plan.model
        #expect(plan.model.sha256.hasPrefix("00") && plan.fit == .greedy)
        _ = try pack(plan)
        let again = root.appending(path: "again/model.safetensors")
        #expect(try Data(contentsOf: again) == packed)
    }

    /// What is wrong with a file of codes.
    struct Damage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let scheme: String
        let message: String
        let change: @Sendable (inout Content) throws -> Void

        init(
            _ name: String, _ scheme: String, _ message: String,
            _ change: @escaping @Sendable (inout Content) throws -> Void
        ) {
            (testDescription, self.scheme, self.message, self.change) = (name, scheme, message, change)
        }
    }

    private static let damages = [
        Damage("another layout version", "bcq2", "written by layout version 7, this program reads") {
            $0.metadata["layout_version"] = "7"
        },
        Damage("no plan", "bcq2", "has no 'plan'") { $0.metadata["plan"] = nil },
        Damage("a plan that is none", "bcq2", "at the top: expected") { $0.metadata["plan"] = "[]" },
        Damage("codes of another family", "bcq2", "has codes of a model 'marian', this is 'bert'") {
            $0.metadata["plan"] = $0.metadata["plan"]?.replacing("\"bert\"", with: "\"marian\"")
        },
        Damage("a plan of other sublayers", "bcq2", "names sublayer 'Dec_ffn'") {
            $0.metadata["plan"] = $0.metadata["plan"]?.replacing("\"*\"", with: "\"Dec_ffn\"")
        },
        Damage("a part is missing", "bcq2", "has no tensor 'classifier.weight.alphas'") {
            $0.parts["classifier.weight.alphas"] = nil
        },
        Damage("a part of no matrix", "bcq2", "tensor 'classifier.bias.alphas' is not in the plan") {
            $0.parts["classifier.bias.alphas"] = $0.parts["classifier.weight.alphas"]
        },
        Damage("another shape", "int4", "'scales' of a matrix of scheme int4: expected F32 [3], got F32 [2]")
        {
            $0.parts["classifier.weight.scales"] = PackedTensor(shape: [2], floats: [1, 1])
        },
        Damage("another type", "int4", "'scales' of a matrix of scheme int4: expected F32 [3], got F16 [3]") {
            $0.parts["classifier.weight.scales"] = PackedTensor(shape: [3], floats: [1, 1, 1], as: .fp16)
        },
        Damage("a scale that is not a number", "bcq2", "'alphas' of a matrix of scheme bcq2, index 0: nan") {
            $0.set("classifier.weight.alphas", .nan)
        },
        Damage("a scale that is infinite", "tcq2", "'scales' of a matrix of scheme tcq2, index 0: inf") {
            $0.set("classifier.weight.scales", [0, 0x7C])
        },
        Damage("a scale below 0", "int4", "'scales' of a matrix of scheme int4, index 0: -1.0, expected more")
        {
            $0.set("classifier.weight.scales", -1)
        },
        Damage("a zero point between codes", "int4:asym", "index 0: 0.5, expected a whole number") {
            $0.set("classifier.weight.zeroPoints", 0.5)
        },
        Damage("code 0 of a symmetric grid", "int8", "index 0: 0, expected 1 to 255") {
            $0.set("classifier.weight.codes", [0])
        },
        Damage("-128 of W8A8", "w8a8", "'codes' of a matrix of scheme w8a8, index 0: -128") {
            $0.set("classifier.weight.codes", [0x80])
        },
        Damage("a maximum below the minimum", "index8", "'range' of a matrix of scheme index8, index 1") {
            $0.set("classifier.weight.range", 1e9)
        },
        Damage("an index past the codewords", "pq:b3:k5", "7 of 5 centroids") {
            $0.set("classifier.weight.indices", [0xFF])
        },
        Damage("a cluster that there is not", "emb4:r1", "cluster 9 is not one of 4") {
            $0.set("classifier.weight.cluster", [9])
        },
        Damage("bits behind the last code", "bcq1", "bits behind the last code, expected zeros") {
            $0.set("classifier.weight.signs", at: 2, [0xFF])
        },
    ]

    @Test(arguments: damages)
    func refusal(_ damage: Damage) throws {
        defer { try? FileManager.default.removeItem(at: root) }
        _ = try store(try #require(Scheme(damage.scheme)), damage.change)
        let error = #expect(throws: FileError.self) { try pack() }
        let message = error?.description ?? ""
        #expect(message.contains(damage.message) && !message.contains("\n"), "\(message)")
        #expect(error?.path.hasSuffix("codes.safetensors") == true)
        #expect(!FileManager.default.fileExists(atPath: root.appending(path: "again").path))
    }

    @Test func nothingStored() throws {
        let error = #expect(throws: FileError.self) { try StoredCodes<BertFamily>(directory: Self.model) }
        #expect(error?.message == "no such file")
    }

    /// Stored codes are nothing that an encoder makes.
    @Test func encodersRefuse() throws {
        let model = try Model<BertFamily>(directory: Self.model)
        let shape = try #require(model.layout.sublayers.first?.matrices.first)
        let error = #expect(throws: FileError.self) {
            try Encodings(model, fit: .stored).packed(shape, .bcq(2))
        }
        #expect(error?.message.contains("only quantize takes them") == true)
    }
}
