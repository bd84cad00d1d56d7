import BitplanEncoding
import BitplanModels
import BitplanPlanning
import BitplanSensitivity
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Packed models as a library gives them.
@Suite struct PackedModelTests {
    static let model = TestFiles.root.appending(path: "Fixtures/tatoeba-en-de")
    static let data = TestFiles.root.appending(path: "Fixtures/data")
    static let planning = [data.appending(path: "plan.en"), data.appending(path: "plan.de")]

    private func temporary(_ body: (URL) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "workflows-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(directory)
    }

    /// Translating from packed weights gives what their dense decoding gives, on at least 99% of 200
    /// sentences.
    @Test(arguments: ["bcq3", "bcq4:g64", "int4:g64", "nf4"])
    func packedTranslatesAsDecoded(_ preset: String) throws {
        try temporary { directory in
            let packed = directory.appending(path: "packed")
            let plan = try presetPlan(MarianFamily.self, Self.model, Preset(named: preset), fit: .greedy)
            let bytes = try quantize(MarianFamily.self, model: Self.model, plan: plan, text: nil, to: packed)
            let opened = try PackedModel<MarianFamily>(directory: packed)
            #expect(opened.plan == plan && opened.sizeInBytes == bytes && plan.predicted?.bytes == bytes)
            let lines = try TextFile.lines(Self.data.appending(path: "check.en"))
            #expect(lines.count == 200)
            let network = try opened.network()
            let fast = try opened.family.task.run(network, lines: lines, options: TaskOptions())
            let slow = try opened.family.task.run(
                try opened.network(decoded: true), lines: lines, options: TaskOptions())
            let equal = zip(fast, slow).count { $0 == $1 }
            print("\(preset): \(equal) of 200 translations from packed weights equal those from decoded ones")
            #expect(equal * 100 >= 99 * lines.count)
            #expect(Set(fast).count > 100, "translations, not noise")
            // Matrices stay packed in memory; vectors are as they were.
            let dense = opened.family.layout.fullPrecisionBytes - opened.family.layout.fixedBytes
            #expect(network.weights.matrices.values.reduce(0) { $0 + $1.residentBytes } < dense / 4)
        }
    }

    private static func tiny(_ name: String) -> (any ModelFamily.Type, URL) {
        let family: any ModelFamily.Type =
            switch name {
            case "tiny-m2m100", "tiny-nllb": M2M100Family.self
            case "tiny-mbart50": MBartFamily.self
            case "tiny-t5", "tiny-t5-v1_1": T5Family.self
            default: MarianFamily.self
            }
        return (family, TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/\(name)"))
    }

    /// The same of small random encoder-decoders of every family, on lines and on their states.
    @Test(
        arguments: [
            "marian-separate", "marian-untied", "tiny-m2m100", "tiny-nllb", "tiny-mbart50", "tiny-t5",
            "tiny-t5-v1_1",
        ], ["bcq3", "tcq3", "int8", "nf4"])
    func encoderDecodersTranslateAsDecoded(_ name: String, _ preset: String) throws {
        func check<F: ModelFamily>(_ family: F.Type, _ model: URL) throws {
            try temporary { directory in
                let packed = directory.appending(path: "packed")
                let plan = try presetPlan(family, model, Preset(named: preset), fit: .greedy)
                let bytes = try quantize(family, model: model, plan: plan, text: nil, to: packed)
                let opened = try PackedModel<F>(directory: packed)
                #expect(opened.plan == plan && opened.sizeInBytes == bytes)
                let lines = ["the cat sat on the mat", "rain", "", "a small bird and the dog"]
                let network = try opened.network()
                let decoded = try opened.network(decoded: true)
                let fast = try opened.family.task.run(network, lines: lines, options: TaskOptions())
                let slow = try opened.family.task.run(decoded, lines: lines, options: TaskOptions())
                // Trellis kernels round activations to 16 bits, which tips a choice of random weights now and
                // then.
                if !preset.hasPrefix("tcq") { #expect(fast == slow) }
                let pair = EncoderDecoderNetwork.Example(source: [7, 9, 4, 5], target: [8, 6, 9, 5])
                let example = try #require(pair as? F.Net.Example)
                func states(_ network: F.Net) -> [Float] {
                    network.logits(network.outputs(network.state([example])), observing: nil).storage
                }
                let (got, expected) = (states(network), states(decoded))
                let largest = expected.reduce(0) { max($0, abs($1)) }
                // Binary codes round activations to about 12 bits, and T5 of random weights, whose scores of
                // attention are large, makes some hundred times as much of it. `EveryFamilyTests` hold each
                // product to its twin.
                let bound: Float = preset == "bcq3" && name == "tiny-t5-v1_1" ? 1e-1 : 1e-2
                for (a, b) in zip(got, expected) { #expect(abs(a - b) < bound * largest) }
            }
        }
        let (family, model) = Self.tiny(name)
        try check(family, model)
    }

    @Test func identityIsThatOfTheNumbers() throws {
        try temporary { directory in
            let model = try Model<MarianFamily>(directory: Self.model)
            let identity = try model.identity()
            // The same numbers as F32 in another order, under another of the names that checkpoints use.
            for name in try FileManager.default.contentsOfDirectory(atPath: Self.model.path)
            where name != "model.safetensors" {
                try FileManager.default.copyItem(
                    at: Self.model.appending(path: name), to: directory.appending(path: name))
            }
            let tensors = try Safetensors(Self.model.appending(path: "model.safetensors"))
            func write(changing changed: String?) throws -> ModelIdentity {
                let names = tensors.entries.keys.sorted(by: >)
                let stored = names.map { $0 == "model.shared.weight" ? "lm_head.weight" : $0 }
                let origin = Dictionary(uniqueKeysWithValues: zip(stored, names))
                try SafetensorsWriter.write(
                    stored.map { name in
                        .init(name: name, type: .float32, shape: tensors.entries[origin[name]!]!.shape)
                    }, to: directory.appending(path: "model.safetensors")
                ) { declaration in
                    var numbers = try tensors.floats(origin[declaration.name]!)
                    if declaration.name == changed { numbers[0] = numbers[0].nextUp }
                    return numbers.withUnsafeBytes { Data($0) }
                }
                return try Model<MarianFamily>(directory: directory).identity()
            }
            #expect(try write(changing: nil) == identity)
            #expect(try write(changing: "model.decoder.layers.3.fc2.weight") != identity)
            #expect(try write(changing: "final_logits_bias") != identity)
        }
    }

    @Test func identityLosesNothing() throws {
        let opened = try MeasuredModel<MarianFamily>(
            Self.model, source: DataSource(files: Self.planning, limit: 6), options: .init(fit: .greedy))
        var sweep = SweepOptions(candidates: [.fp32])
        sweep.metricCells = .max
        let table = try opened.sweep(sweep)
        for cell in table.byType + table.bySublayer {
            #expect(
                cell.measurement.klNats == 0 && cell.measurement.metric == table.fullPrecision.metric,
                "\(cell.row)")
            #expect(cell.measurement.crossEntropyNats == table.fullPrecision.crossEntropyNats)
        }
        let plan = try opened.plan(table, target: PlanTarget(size: .compression(1))).plan
        #expect(plan.measured?.first?.klNats == 0)
    }
}
