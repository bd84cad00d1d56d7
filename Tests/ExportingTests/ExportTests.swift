import BitplanExporting
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Plans in other quantizers' formats: the files, and what the consumers' own code makes of them
/// (Scripts/goldens/exports.py).
@Suite struct ExportTests {
    static let goldens = TestFiles.root.appending(path: "Tests/ExportingTests/Goldens")

    /// What the consumer resolved, by tensor, for every case `model.plan.consumer`.
    static let resolved: [String: [String: String]] =
        (try? JSONDecoder().decode(
            [String: [String: String]].self, from: Data(contentsOf: goldens.appending(path: "resolved.json"))))
        ?? [:]

    private struct Layout: Decodable { let layout: ModelLayout }

    private static func read<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(contentsOf: goldens.appending(path: name)))
    }

    private static func layout(_ model: String) throws -> ModelLayout {
        try read(Layout.self, model + ".table.json").layout
    }

    /// The parts of a case's name.
    private static func parts(_ name: String) throws -> (model: String, plan: String, consumer: Consumer) {
        let parts = name.split(separator: ".", maxSplits: 2).map(String.init)
        try #require(parts.count == 3)
        return (parts[0], "\(parts[0]).\(parts[1]).plan.json", try #require(Consumer(rawValue: parts[2])))
    }

    /// Every type of models that a consumer takes, it has been seen to take.
    @Test func thereAreGoldensForEveryConsumer() throws {
        var types: [Consumer: Set<String>] = [:]
        for name in Self.resolved.keys {
            let (model, _, consumer) = try Self.parts(name)
            types[consumer, default: []].insert(model)
        }
        // coremltools knows weights by the names that torch gives them, whatever the model.
        #expect(types[.coremltools] == ["bert", "electra", "llama", "marian"])
        for consumer in Consumer.allCases where consumer != .coremltools {
            #expect(types[consumer] == Set(consumer.modelTypes), "\(consumer)")
        }
    }

    /// The file is the one that the consumer read, and what the export says of every tensor is what the
    /// consumer does with it.
    @Test(arguments: resolved.keys.sorted())
    func consumersResolveWhatTheExportSays(_ name: String) throws {
        let (model, planFile, consumer) = try Self.parts(name)
        let layout = try Self.layout(model)
        let plan = try Self.read(Plan.self, planFile)
        let isNearest = planFile.contains(".codes.")
        let export = try plan.export(layout, to: consumer, nearest: isNearest)
        let file = try String(contentsOf: Self.goldens.appending(path: name + ".export"), encoding: .utf8)
        #expect(export.text == file)
        #expect(export.notes.isEmpty == !isNearest, "\(export.notes)")
        let expected = try #require(Self.resolved[name])
        #expect(export.settings.count == expected.count)
        for setting in export.settings {
            #expect(setting.setting == expected[setting.tensor], "\(setting.tensor)")
        }
    }

    /// Where nothing was mapped, the settings are the plan's schemes; where something was, no tensor has
    /// fewer bits.
    @Test(arguments: resolved.keys.sorted())
    func noTensorHasFewerBitsThanPlanned(_ name: String) throws {
        let (model, planFile, _) = try Self.parts(name)
        let layout = try Self.layout(model)
        let schemes = try Self.read(Plan.self, planFile).schemes(of: layout)
        for (sublayer, scheme) in zip(layout.sublayers, schemes) {
            for matrix in sublayer.matrices {
                guard let setting = Self.resolved[name]?[matrix.tensor] else { continue }
                let planned = try bits(of: scheme)
                let got = try bits(of: setting)
                #expect(
                    planFile.contains(".codes.") ? got >= planned : got == planned,
                    "\(matrix.tensor): \(setting)")
            }
        }
    }

    /// Bits of a code, by the scheme's text; full precision is 16.
    private func bits(of scheme: Scheme) throws -> Int {
        let text = scheme.description
        switch text {
        case "fp16", "fp32": return 16
        case "w8a8", "index8": return 8
        case "emb4:r1": return 3  // (4 + 3 + 2 + 1) / 4, rounded up
        case "pq:b8:k256": return 1
        case "nf4": return 4
        default: return try #require(text.first(where: \.isNumber).flatMap(\.wholeNumberValue))
        }
    }

    private func bits(of setting: String) throws -> Int {
        if ["full precision", "f16", "f32"].contains(setting) { return 16 }
        return try #require(setting.first(where: \.isNumber).flatMap(\.wholeNumberValue))
    }

    // MARK: llama.cpp

    /// Resolves a file as llama-quantize does: the first pattern that is found decides, then rows that do not
    /// divide fall back.
    private func resolve(_ text: String, _ name: String, columns: Int) throws -> String {
        for token in text.split(whereSeparator: \.isWhitespace) {
            let mark = try #require(token.firstIndex(of: "="))
            let pattern = try NSRegularExpression(pattern: token[..<mark].lowercased())
            guard pattern.firstMatch(in: name, range: NSRange(name.startIndex..., in: name)) != nil else {
                continue
            }
            var type = String(token[token.index(after: mark)...])
            if type.hasSuffix("_k"), columns % 256 != 0 {
                type =
                    ["q2_k": "q4_0", "q3_k": "q4_0", "q4_k": "q5_0", "q5_k": "q5_1", "q6_k": "q8_0"][type]
                    ?? ""
            }
            return !type.hasPrefix("f") && !type.hasSuffix("_k") && columns % 32 != 0 ? "f16" : type
        }
        return "the default"
    }

    /// More than ten layers: `blk.1` is not `blk.10`, and no pattern is found in another's tensor.
    @Test func firstMatchIsTheOnlyOne() throws {
        let sublayers = (0..<24).flatMap { depth in
            [
                SublayerShape(
                    name: SublayerName("Attention", depth: depth),
                    matrices: ["q", "k", "v", "o"].map {
                        MatrixShape(
                            tensor: "model.layers.\(depth).self_attn.\($0)_proj.weight", rows: 64,
                            columns: 512)
                    }),
                SublayerShape(
                    name: SublayerName("FFN", depth: depth),
                    matrices: [
                        MatrixShape(
                            tensor: "model.layers.\(depth).mlp.down_proj.weight", rows: 512,
                            columns: 96 + depth)
                    ]),
            ]
        }
        let layout = ModelLayout(sublayers: sublayers, fixedParameters: 0)
        let model = ModelIdentity(type: "llama", sha256: "0")
        let schemes = sublayers.indices.map { Scheme.bcq(1 + $0 % 8) }
        let plan = Plan.naming(schemes, of: layout, model: model, origin: .named("x"), fit: .greedy)
        let export = try plan.export(layout, to: .llamaCpp, nearest: true)
        let shapes = sublayers.flatMap(\.matrices)
        let lines = export.text.split(separator: "\n").map(String.init)
        #expect(lines.count == shapes.count)
        for (setting, shape) in zip(export.settings, shapes) {
            #expect(setting.tensor == shape.tensor)
            #expect(try resolve(export.text, setting.name, columns: shape.columns) == setting.setting)
            // Disjoint: the order of the lines does not matter.
            #expect(
                try resolve(lines.reversed().joined(separator: " "), setting.name, columns: shape.columns)
                    == setting.setting)
        }
        #expect(export.settings.contains { $0.setting == "f16" }, "rows of 97 have no blocks at all")
    }

    // MARK: Refusals

    private func refusal(
        _ model: String, _ sublayers: [String: Scheme], _ consumer: Consumer, nearest: Bool = false
    ) throws -> ExportError? {
        let layout = try Self.layout(model)
        let plan = Plan(model: ModelIdentity(type: model, sha256: "0"), sublayers: sublayers)
        do {
            _ = try plan.export(layout, to: consumer, nearest: nearest)
            return nil
        } catch { return error }
    }

    @Test func modelsThatAConsumerDoesNotKnow() throws {
        for consumer in [Consumer.llamaCpp, .gptqmodel, .mlx] {
            let error = try refusal("marian", ["*": .bcq(3)], consumer, nearest: true)
            let text = try #require(error?.description)
            #expect(
                text.contains("'marian'") && text.contains(consumer.rawValue) && text.contains("llama"),
                "\(text)")
        }
        // Of all types, those that a consumer has not been checked with; Marian's own format is none of
        // transformers.
        let types = Set(Consumer.allCases.flatMap(\.modelTypes) + ["marian-native"])
        let layout = try Self.layout("marian")
        for consumer in Consumer.allCases {
            let unknown = types.subtracting(consumer.modelTypes)
            #expect(unknown.contains("marian-native"))
            for type in unknown {
                let plan = Plan(
                    model: ModelIdentity(type: type, sha256: "0"), sublayers: ["*": .full(.fp16)])
                let error = #expect(throws: ExportError.self) {
                    try plan.export(layout, to: consumer, nearest: true)
                }
                #expect(
                    error == .unknownModel(consumer, type, known: consumer.modelTypes), "\(type) \(consumer)")
            }
        }
    }

    /// Scheme, sublayer and consumer are named; mapped to the nearest it is no error.
    @Test(arguments: Consumer.allCases)
    func codesAreNoIntegers(_ consumer: Consumer) throws {
        let error = try refusal("llama", ["*": .fp32, "FFN.1": .bcq(3)], consumer)
        #expect(
            error.map { if case .inexpressible(consumer, .bcq(3), _, _) = $0 { true } else { false } } == true
        )
        let text = try #require(error?.description)
        for part in ["'FFN.1'", "bcq3", consumer.rawValue] {
            #expect(text.contains(part), "\(text)")
        }
        #expect(!text.contains("\n"))
        #expect(try refusal("llama", ["*": .bcq(2)], consumer, nearest: true) == nil)
        // HQQ gives all depths the same, so one sublayer alone cannot be said.
        let everything = try refusal("llama", ["*": .full(.fp16)], consumer)
        #expect(everything == .nothingToQuantize(consumer))
    }

    /// No consumer has trellis codes: they are refused by name, or become integers of no fewer bits, with a
    /// note that says so.
    @Test(arguments: Consumer.allCases, ["tcq1", "tcq2", "tcq4", "tcq3:c:h"])
    func trellisCodesAreRefusedOrMapped(_ consumer: Consumer, _ text: String) throws {
        let scheme = try #require(Scheme(text))
        let error = try refusal("llama", ["*": .fp32, "FFN.1": scheme], consumer)
        #expect(
            error.map { if case .inexpressible(consumer, scheme, _, _) = $0 { true } else { false } } == true
        )
        let line = try #require(error?.description)
        for part in ["'FFN.1'", text, consumer.rawValue] { #expect(line.contains(part), "\(line)") }
        #expect(!line.contains("\n"))
        let plan = Plan(model: ModelIdentity(type: "llama", sha256: "0"), sublayers: ["*": scheme])
        let export = try plan.export(Self.layout("llama"), to: consumer, nearest: true)
        #expect(
            export.notes.contains { $0.hasPrefix("\(text) becomes ") && $0.contains("FFN.1") },
            "\(export.notes)")
        let planned = try bits(of: scheme)
        for setting in export.settings {
            #expect(try bits(of: setting.setting) >= planned, "\(setting.tensor): \(setting.setting)")
        }
    }

    @Test func depthsThatDifferAreRefusedByHQQ() throws {
        let four = try #require(Scheme("int4:g32:asym"))
        let two = try #require(Scheme("int2:g32:asym"))
        let plan: [String: Scheme] = ["*": .full(.fp16), "Attention.0": four, "Attention.1": two]
        let text = try #require(try refusal("llama", plan, .hqq)?.description)
        for part in ["self_attn.q_proj", "'Attention.0'", "'Attention.1'", "4 bits", "2 bits", "hqq"] {
            #expect(text.contains(part), "\(text)")
        }
        let collapsed = try Plan(model: ModelIdentity(type: "llama", sha256: "0"), sublayers: plan)
            .export(Self.layout("llama"), to: .hqq, nearest: true)
        #expect(
            collapsed.notes.count == 4 && collapsed.notes.allSatisfy { $0.contains("4 bits") },
            "\(collapsed.notes)")
        let attention = collapsed.settings.filter { $0.tensor.contains("self_attn") }
        #expect(attention.count == 8 && attention.allSatisfy { $0.setting.hasPrefix("4 bits") })
        let feedForward = collapsed.settings.filter { $0.tensor.contains("mlp") }
        #expect(feedForward.allSatisfy { $0.setting == "full precision" })
    }

    @Test func embeddingsAndHeads() throws {
        let eight = try #require(Scheme("int8:g32"))
        for consumer in [Consumer.gptqmodel, .compressedTensors, .autoRound] {
            let text = try #require(try refusal("llama", ["*": eight], consumer)?.description)
            #expect(text.contains("'Emb'") && text.contains("embeddings"), "\(text)")
            #expect(try refusal("llama", ["*": eight, "Emb": .full(.fp16)], consumer) == nil)
        }
        // BERT in llama.cpp: positions stay as they are, and there is no head.
        let positions = try #require(try refusal("bert", ["*": eight], .llamaCpp)?.description)
        #expect(positions.contains("'Pos'"), "\(positions)")
        #expect(try refusal("bert", ["*": eight, "Pos": .fp32], .llamaCpp) == nil)
        let head = ModelLayout(
            sublayers: try Self.layout("bert").sublayers + [
                SublayerShape(
                    name: SublayerName("Pooler"),
                    matrices: [MatrixShape(tensor: "bert.pooler.dense.weight", rows: 96, columns: 96)])
            ], fixedParameters: 0)
        let plan = Plan(
            model: ModelIdentity(type: "bert", sha256: "0"), sublayers: ["*": eight, "Pos": .fp32])
        #expect(throws: ExportError.self) { try plan.export(head, to: .llamaCpp, nearest: true) }
    }

    @Test func groupsThatDoNotDivide() throws {
        // Rows of 672 and 256 columns.
        let scheme = try #require(Scheme("int4:g128"))
        for consumer in [Consumer.gptqmodel, .compressedTensors, .autoRound, .coremltools] {
            let text = try #require(
                try refusal("llama", ["*": scheme, "Emb": .full(.fp16)], consumer)?.description)
            #expect(text.contains("rows of 672 do not divide into groups of 128"), "\(text)")
        }
    }

    @Test func plansThatDoNotFit() throws {
        #expect(
            try refusal("llama", ["*": .full(.fp16), "FFN.9": .bcq(2)], .mlx)
                == .plan(.unknownSublayer("FFN.9")))
        #expect(
            try refusal("llama", ["Emb": .bcq(2)], .mlx)
                == .plan(.missingSublayer(SublayerName("Attention", depth: 0))))
    }
}
