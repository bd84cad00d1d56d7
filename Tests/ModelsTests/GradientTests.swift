import BitplanKernels
import BitplanModels
import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat
import TestSupport
import Testing

/// The backward of every family against PyTorch's autograd (Scripts/goldens/gradients.py): all gradients of
/// sum(U * logits) for random U.
@Suite struct GradientTests {
    private struct Goldens<Item: Decodable>: Decodable {
        let loss: Double
        /// How far autograd in FP32 is from that in FP64, where the script measured it.
        let single: Float?
        let items: [Item]
    }

    private struct Pair: Decodable {
        let source: [Int]
        let target: [Int]
    }

    private struct Window: Decodable {
        let tokens: [Int]
        let scored: Int
    }

    private struct Text: Decodable {
        let tokens: [Int]
        let types: [Int]
    }

    private static func directory(_ name: String) -> URL {
        TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/\(name)")
    }

    @Test(arguments: ["marian-relu-3-1", "marian-gelu-1-2"])
    func encoderDecoder(_ name: String) throws {
        let configuration = try BartConfiguration(MarianFamily.variant, directory: Self.directory(name))
        let outline = try MarianFamily.network(configuration)
        try check(name, outline, over: { try MarianFamily.network(configuration, $0) }) { (item: Pair) in
            .init(source: item.source, target: item.target)
        }
    }

    /// Embeddings apart, norms before, learned positions, biases by relative positions, gates.
    @Test(arguments: [
        "marian-separate", "marian-untied", "tiny-m2m100", "tiny-mbart50", "tiny-t5", "tiny-t5-v1_1",
    ])
    func encoderDecoders(_ name: String) throws {
        func run<F: ModelFamily>(_ family: F.Type) throws {
            let model = try Model<F>(directory: Self.directory(name))
            var table = WeightTable(matrices: [:], vectors: try model.vectors())
            for shape in model.layout.sublayers.flatMap(\.matrices) {
                table.matrices[shape.tensor] = TrainingMatrix(try model.matrix(shape))
            }
            let network = try #require(try model.family.network(table) as? EncoderDecoderNetwork)
            try compare(name, network, tolerance: 2e-5, stored: { $0 }) { (item: Pair) in
                .init(source: item.source, target: item.target)
            }
        }
        try run(EncoderDecoderModel.family(name))
    }

    @Test func decoder() throws {
        let family = try LlamaFamily(directory: Self.directory("tiny-llama"))
        try check("tiny-llama", family.outline, over: family.network) { (item: Window) in
            .init(tokens: item.tokens, scored: item.scored)
        }
    }

    @Test func encoder() throws {
        let family = try BertFamily(directory: Self.directory("tiny-bert"))
        try check("tiny-bert", family.outline, over: family.network) { (item: Text) in
            .init([TokenSequence(ids: item.tokens, typeIDs: item.types)])
        }
    }

    /// Models that differ from Llama in settings (Scripts/goldens/kin.py).
    @Test(arguments: LlamaKinTests.names)
    func decoderKin(_ name: String) throws {
        let model = try Model<LlamaFamily>(directory: Self.directory("kin/\(name)"))
        try compare(
            "kin/\(name)", try model.family.network(try trained(model)), tolerance: 2e-5, stored: { $0 }
        ) {
            (item: Window) in .init(tokens: item.tokens, scored: item.scored)
        }
    }

    /// Models of BERT's kin: classes, labels and a number.
    @Test(arguments: BertKinTests.names)
    func encoderKin(_ name: String) throws {
        let model = try Model<BertFamily>(directory: Self.directory("kin/\(name)"))
        try compare(
            "kin/\(name)", try model.family.network(try trained(model)), tolerance: 2e-5, stored: { $0 }
        ) {
            (item: Text) in .init([TokenSequence(ids: item.tokens, typeIDs: item.types)])
        }
    }

    /// A model's weights as training has them.
    private func trained<Family: ModelFamily>(_ model: Model<Family>) throws -> WeightTable {
        var table = WeightTable(matrices: [:], vectors: try model.vectors())
        for shape in model.layout.sublayers.flatMap(\.matrices) {
            table.matrices[shape.tensor] = TrainingMatrix(try model.matrix(shape))
        }
        return table
    }

    /// Models in Marian's own format, whose goldens have Marian's names (Scripts/goldens/marian_native.py):
    /// recurrent and self-attention decoders, one, two and three matrices of tokens, norms before and behind.
    @Test(arguments: ["ssru", "selfatt", "split", "prenorm"])
    func marianNative(_ name: String) throws {
        let made = try MarianNativeModel(name)
        let model = try made.open()
        try compare(
            "marian-native/\(name)", try model.family.network(try trained(model)), tolerance: 2e-5,
            stored: {
                model.family.aliases(of: $0)[0]
            }
        ) { (item: Pair) in .init(source: item.source, target: item.target) }
    }

    /// Compares all gradients of a network in `directory`.
    private func check<Net: Network, Item: Decodable>(
        _ name: String, _ outline: Net, over: (WeightTable) throws -> Net, _ example: (Item) -> Net.Example
    ) throws {
        let weights = try Safetensors(Self.directory(name).appending(path: "model.safetensors"))
        var table = WeightTable(matrices: [:], vectors: [:])
        func stored(_ tensor: String) -> String {
            weights.entries[tensor] != nil ? tensor : "model.encoder.embed_tokens.weight"
        }
        for shape in outline.layout.sublayers.flatMap(\.matrices) {
            table.matrices[shape.tensor] = TrainingMatrix(
                try weights.matrix(stored(shape.tensor), rows: shape.rows, columns: shape.columns))
        }
        for (vector, _) in outline.sublayers.vectors { table.vectors[vector] = try weights.floats(vector) }
        try compare(name, try over(table), stored: { $0 }, example)
    }

    /// Compares all gradients of a network with those in a directory.
    ///
    /// - Parameters:
    ///   - tolerance: relative to the largest gradient of a tensor.
    ///   - stored: what the goldens call a tensor.
    private func compare<Net: Network, Item: Decodable>(
        _ name: String, _ network: Net, tolerance: Float = 1e-5, stored: (String) -> String,
        _ example: (Item) -> Net.Example
    ) throws {
        let directory = Self.directory(name)
        let goldens = try Safetensors(directory.appending(path: "gradients.safetensors"))
        let items = try JSONDecoder().decode(
            Goldens<Item>.self, from: Data(contentsOf: directory.appending(path: "gradients.json")))
        let examples = items.items.map(example)

        let tape = Tape(keepsOutputs: true)
        let gradients = GradientTable(network.layout)
        let state = network.state(examples, observing: ForwardObserver(tape))
        let outputs = network.outputs(state, observing: ForwardObserver(tape))
        let logits = network.logits(outputs, observing: ForwardObserver(tape))
        let upstream = try goldens.matrix("upstream", rows: logits.rows, columns: logits.columns)
        let loss = zip(logits.storage, upstream.storage).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        #expect(abs(loss - items.loss) < 1e-4 * max(1, abs(items.loss)), "loss")
        network.backward(
            examples, state, outputs: network.backwardLogits(upstream, tape, gradients), tape, gradients)

        // Biases of keys have a gradient of 0 in theory: what is compared with is not below this.
        let least = 1e-2 * (gradients.vectors.values.joined().map(abs).max() ?? 0)
        var worst: (deviation: Float, tensor: String) = (0, "")
        var compared = 0
        func compare(_ tensor: String, _ got: [Float]) throws {
            let golden = "gradient.\(stored(tensor))"
            guard let expected = goldens.entries[golden] != nil ? try goldens.floats(golden) : nil else {
                // Tensors that autograd does not train: the constant bias of the scores.
                #expect(tensor == "final_logits_bias", "no golden gradient of \(tensor)")
                return
            }
            try #require(expected.count == got.count, "\(tensor)")
            compared += 1
            let size = expected.reduce(least) { max($0, abs($1)) }
            let difference = zip(expected, got).reduce(0) { max($0, abs($1.0 - $1.1)) }
            let deviation = difference / size
            if deviation > worst.deviation { worst = (deviation, tensor) }
        }
        for shape in network.layout.sublayers.flatMap(\.matrices) {
            try compare(shape.tensor, try #require(gradients.matrices[shape.tensor]).storage)
        }
        for (vector, _) in network.sublayers.vectors where vector != "final_logits_bias" {
            try compare(vector, try #require(gradients.vectors[vector], "\(vector)"))
        }
        print("\(name), \(compared) gradients: largest relative deviation", worst)
        #expect(compared == goldens.entries.count - 1)
        // Where autograd in FP32 is itself far from FP64, weights are such that rounding grows.
        #expect(worst.deviation < max(tolerance, 4 * (items.single ?? 0)), "\(worst.tensor)")
    }
}

/// The whole gradients of all weights, by tensor: a product's `dY^T X`, looked-up rows, vectors.
private final class GradientTable: GradientSink {
    /// Gradients of matrices.
    private(set) var matrices: [String: Matrix] = [:]
    /// Gradients of biases and norms.
    private(set) var vectors: [String: [Float]] = [:]
    private let shapes: [String: (rows: Int, columns: Int)]

    /// A table for a network of this layout, whose gradients are 0 until a backward adds to them.
    init(_ layout: ModelLayout) {
        shapes = Dictionary(
            uniqueKeysWithValues: layout.sublayers.flatMap(\.matrices).map {
                ($0.tensor, ($0.rows, $0.columns))
            })
    }

    /// Adds `dY^T X`.
    func product(_ tensor: String, _ product: ProductGradient) {
        change(tensor) { addWeightGradient(product.outputGradient, product.input, to: &$0) }
    }

    /// Adds the gradients of rows, in their order.
    func lookup(_ tensor: String, rows: [Int], _ gradient: Matrix) {
        change(tensor) { $0.add(gradient, toRows: rows) }
    }

    /// Adds the gradient of a vector.
    func vector(_ name: String, _ gradient: [Float]) {
        vectors[name] = vectors[name].map { zip($0, gradient).map { $0 + $1 } } ?? gradient
    }

    private func change(_ tensor: String, _ body: (inout Matrix) -> Void) {
        guard let shape = shapes[tensor] else { return }
        body(&matrices[tensor, default: Matrix(rows: shape.rows, columns: shape.columns)])
    }
}
