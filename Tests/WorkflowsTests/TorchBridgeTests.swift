import BitplanEncoding
import BitplanKernels
import BitplanModels
import BitplanQuantizers
import BitplanSensitivity
import BitplanTensors
import BitplanTokenizers
import BitplanTraining
import BitplanWorkflows
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Training here beside training by PyTorch (`Scripts/torch/bitplan_torch`): the same codes, weights, losses
/// and gradients, on small models of every family (Scripts/goldens/torch_bridge.py).
@Suite struct TorchBridgeTests {
    private struct Goldens: Decodable {
        struct Item: Decodable {
            let source, target, tokens, types: [Int]?
            let scored: Int?
        }
        struct Gradient: Decodable {
            let norm: Double
            let stride: Int
            let values: [Float]
        }
        struct Measured: Decodable {
            let loss: Double
            let gradients: [String: Gradient]
        }
        let model: String
        let sublayers: [String: Scheme]
        let text: [String]
        let items: [Item]
        let scales, weights: Measured
        let parts, decoded: [String: String]
    }

    private let root = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")

    private func golden<Value: Decodable>(_ name: String) throws -> Value {
        let file = TestFiles.root.appending(path: "Tests/WorkflowsTests/Goldens/torch/\(name).json")
        return try JSONDecoder().decode(Value.self, from: Data(contentsOf: file))
    }

    @Test func encoder() throws {
        try check("bert", BertFamily.self) {
            .init([TokenSequence(ids: $0.tokens ?? [], typeIDs: $0.types ?? [])])
        }
    }

    @Test func decoder() throws {
        try check("llama", LlamaFamily.self) { .init(tokens: $0.tokens ?? [], scored: $0.scored ?? 0) }
    }

    @Test func encoderDecoder() throws {
        try check("marian", MarianFamily.self) { .init(source: $0.source ?? [], target: $0.target ?? []) }
    }

    /// What codes of every scheme stand for is the same here and there, bit by bit.
    @Test func everySchemeDecodesAlike() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let goldens: [String: String] = try golden("schemes")
        #expect(EveryScheme.list.allSatisfy { goldens["\($0)"] != nil }, "schemes.json has every scheme")
        let place = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-bert")
        let model = try Model<BertFamily>(directory: place)
        for (name, expected) in goldens.sorted(by: { $0.key < $1.key }) {
            let scheme = try #require(Scheme(name))
            let packed = try packed(model, ["*": scheme], text: ["good film", "bad film the not"])
            let decoded = try model.layout.sublayers.flatMap(\.matrices).map { shape in
                let codes = try Quantizer.trainable(try packed.packed(shape))
                return (shape.tensor, codes.decoded().storage.withUnsafeBytes { Data($0) })
            }
            #expect(hash(decoded) == expected, "\(name)")
        }
    }

    /// The greedy codes of a plan, as a packed model.
    private func packed<Family: ModelFamily>(
        _ model: Model<Family>, _ sublayers: [String: Scheme], text: [String]
    ) throws -> PackedModel<Family> {
        let (file, output) = (root.appending(path: "text.txt"), root.appending(path: "packed"))
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        try Data(text.map { $0 + "\n" }.joined().utf8).write(to: file)
        let plan = Plan(model: try model.identity(), fit: .greedy, sublayers: sublayers)
        _ = try quantize(
            Family.self, model: model.directory, plan: plan,
            text: text.isEmpty ? nil : DataSource(files: [file]), to: output)
        return try PackedModel<Family>(directory: output)
    }

    private func check<Family: ModelFamily>(
        _ name: String, _ family: Family.Type, _ example: (Goldens.Item) -> Family.Net.Example
    ) throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let goldens: Goldens = try golden(name)
        let model = try Model<Family>(directory: TestFiles.root.appending(path: goldens.model))
        let packed = try packed(model, goldens.sublayers, text: goldens.text)
        let (full, examples) = (try model.network(), goldens.items.map(example))
        let shapes = model.layout.sublayers.flatMap(\.matrices)
        let start = try Dictionary(uniqueKeysWithValues: shapes.map { ($0.tensor, try packed.packed($0)) })
        let vectors = try packed.vectors().filter { model.constants.values[$0.key] == nil }
        for (recipe, expected) in [(TrainingRecipe.scales, goldens.scales), (.weights, goldens.weights)] {
            var latents: [String: Matrix] = [:]
            if recipe.learnsWeights {
                for shape in shapes { latents[shape.tensor] = try model.matrix(shape) }
            }
            var trained = try TrainedModel(
                start, vectors: vectors, as: packed.schemes.vectors, latents: latents, layout: model.layout)
            for (tensor, latent) in latents {
                trained.codes[tensor]?.recode(latent, threads: 2)
                let codes = try #require(trained.codes[tensor])
                let decoded = codes.decoded().storage.withUnsafeBytes { Data($0) }
                #expect(hash([(tensor, decoded)]) == goldens.decoded[tensor], "\(tensor)")
                let parts = try codes.packed().parts.sorted { $0.key < $1.key }
                #expect(
                    hash(parts.map { ("\(tensor).\($0.key)", $0.value.bytes) }) == goldens.parts[tensor],
                    "\(tensor)")
            }
            var settings = TrainingSettings(recipe, steps: 2, parameters: model.layout.parameterCount)
            settings.batchSize = examples.count
            // In parts side by side, all together, a few tokens at once.
            for (shards, tokensAtOnce) in [(4, nil), (1, nil), (1, 8)] {
                (settings.shards, settings.tokensAtOnce) = (shards, tokensAtOnce)
                var trainer = Trainer(
                    full, examples: examples,
                    heldOut: try Evaluator(reference: full, examples: examples, threads: 2),
                    settings: settings, state: TrainingState(trained), threads: 2)
                let (loss, gradients) = try trainer.gradients()
                #expect(abs(loss - expected.loss) < 1e-4 * expected.loss, "\(recipe): \(loss)")
                compare(
                    Dictionary(uniqueKeysWithValues: gradients.map { ("\($0.key)", $0.value) }),
                    expected.gradients, "\(name), \(recipe)")
            }
        }
    }

    /// Compares gradients, relative to the largest number of each; but of those of one kind, none below a
    /// thousandth of the longest counts: biases of keys have a gradient of 0 in theory.
    private func compare(_ got: [String: [Float]], _ expected: [String: Goldens.Gradient], _ name: String) {
        func kind(_ parameter: String) -> Substring { parameter.prefix { $0 != "." } }
        var least: [Substring: Double] = [:]
        for (parameter, gradient) in expected {
            least[kind(parameter)] = max(least[kind(parameter), default: 0], 1e-3 * gradient.norm)
        }
        var worst: (deviation: Double, parameter: String) = (0, "none")
        for (parameter, gradient) in expected {
            let own = got[parameter] ?? []
            let sampled = stride(from: 0, to: own.count, by: gradient.stride).map { own[$0] }
            #expect(sampled.count == gradient.values.count, "\(name): \(parameter)")
            let size = max(least[kind(parameter), default: 0], Double(gradient.values.map(abs).max() ?? 0))
            let rest = zip(sampled, gradient.values).map { abs($0 - $1) }.max() ?? 0
            if Double(rest) / size > worst.deviation { worst = (Double(rest) / size, parameter) }
            let norm = own.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(abs(norm - gradient.norm) < 1e-4 * max(size, gradient.norm), "\(name): \(parameter)")
        }
        print("\(name), \(expected.count) gradients: largest relative deviation \(worst)")
        #expect(worst.deviation < 1e-4, "\(name): \(worst.parameter)")
    }

    private func hash(_ contents: [(String, Data)]) -> String {
        let hash = ContentHash()
        for (name, data) in contents { hash.add(name, data) }
        return String(hash.finish().prefix(16))
    }
}
