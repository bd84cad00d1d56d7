import BitplanKernels
import BitplanTensors
import Foundation
import PlanFormat

/// One family of models: everything that the commands need to know of a `model_type`.
///
/// A family reads its configuration and tokenizer, names its tensors, builds its network, reads its data, and says how the task is
/// measured and how `run` reads and writes. Nothing outside its folder knows more of it.
package protocol ModelFamily: Sendable {
    /// The network, over dense or packed weights.
    associatedtype Net: Network

    /// `model_type` in config.json.
    static var modelType: String { get }
    /// Files beside config.json that a packed model needs.
    static var companionFiles: [String] { get }

    /// Where tensors and config.json count the layers of the one stack that a model has; nil for families of several stacks.
    static var layerStack: LayerStack? { get }

    /// Whether less of the metric that plans are judged by is better: perplexity, not BLEU.
    static var prefersLessMetric: Bool { get }

    /// Reads configuration and tokenizer of a model directory; one-line errors for what is missing or unsupported.
    init(directory: URL) throws

    /// Sublayers and their matrices.
    var layout: ModelLayout { get }
    /// Names and lengths of what stays FP32.
    var vectors: [(name: String, count: Int)] { get }
    /// Other names under which a checkpoint may store a tensor, most usual first.
    func aliases(of tensor: String) -> [String]
    /// A network over these weights.
    func network(_ weights: WeightTable) throws -> Net

    /// Shapes of such models that the time outside of products is measured on.
    static func specimens() throws -> [Specimen]

    /// Reads the data that the model is measured on; `limit` keeps the first items.
    func dataset(_ files: [URL], limit: Int?) throws -> Dataset<Net.Example>
    /// Reads a text in these windows; the family's own where nil. Families that read items one by one know no other.
    func dataset(_ files: [URL], limit: Int?, windows: TextWindows?) throws -> Dataset<Net.Example>
    /// The task's metric over the whole of `data`, from what the network produces.
    func score(_ network: Net, on data: Dataset<Net.Example>, options: TaskOptions) throws -> TaskScore
    /// Answers input lines: translations, labels, text; `LineError` where one cannot be answered.
    func run(_ network: Net, lines: [String], options: TaskOptions) throws -> [String]
}

extension ModelFamily {
    /// No other names.
    package func aliases(of tensor: String) -> [String] { [] }

    /// The family's own reading; an error for windows.
    package func dataset(_ files: [URL], limit: Int?, windows: TextWindows?) throws -> Dataset<Net.Example> {
        guard windows == nil else {
            throw FileError(
                "--context, --stride", "expected only for language models, got a \(Self.modelType) model")
        }
        return try dataset(files, limit: limit)
    }

    /// Not one stack, or none that layers can be dropped from.
    package static var layerStack: LayerStack? { nil }

    /// More is better.
    package static var prefersLessMetric: Bool { false }
}

/// How a family of one stack counts its layers.
package struct LayerStack: Sendable {
    /// What stands before a layer's number in the names of its tensors: `model.layers.`.
    package let prefix: String
    /// The key of the number of layers in config.json.
    package let countKey: String

    /// A tensor's name when layers get other numbers; outside of layers the same.
    package func renamed(_ tensor: String, _ number: (Int) -> Int) -> String {
        guard let start = tensor.range(of: prefix) else { return tensor }
        let digits = tensor[start.upperBound...].prefix { $0 != "." }
        guard let depth = Int(digits) else { return tensor }
        return tensor[..<start.upperBound] + "\(number(depth))" + tensor[digits.endIndex...]
    }
}

/// What is wrong with one of the lines that a family was given to answer.
package struct LineError: Error, CustomStringConvertible {
    /// The line's place among the lines given, from 0.
    package let index: Int
    /// What the network could not do.
    package let message: String

    /// An error about the line at `index`.
    package init(index: Int, _ message: String) {
        self.index = index
        self.message = message
    }

    /// One line.
    package var description: String { "line \(index + 1) \(message)" }
}

/// Tokenized items and the texts that they came from.
package struct Dataset<Example: Sendable>: Sendable {
    /// The items, tokenized.
    package let examples: [Example]
    /// What the task's metric compares with: reference translations, labels.
    package let references: [String]
    /// How a text was cut into items; nil where items are read one by one.
    package let windows: TextWindows?

    /// A dataset of these items.
    package init(examples: [Example], references: [String], windows: TextWindows? = nil) {
        self.examples = examples
        self.references = references
        self.windows = windows
    }

    /// The items of `range`.
    package subscript(range: Range<Int>) -> Dataset {
        Dataset(
            examples: Array(examples[range]), references: Array(references[range]), windows: windows)
    }
}

/// How a task is run.
package struct TaskOptions: Sendable, Codable, Hashable {
    /// Hypotheses of a beam search; 1 is greedy.
    package var beams: Int
    /// The longest output in tokens; the model's own limit where nil.
    package var maximumLength: Int?
    /// Items at a time.
    package var batchSize: Int
    /// Threads, each with batches of its own; results do not depend on it.
    package var threads: Int
    /// What logits are divided by before a language model draws a token; 0 takes the likeliest.
    package var temperature: Double
    /// Where drawing starts; the same seed draws the same text, whatever the batches.
    package var seed: UInt64

    /// Options with their defaults: greedy, 32 items at a time, two threads.
    package init(
        beams: Int = 1, maximumLength: Int? = nil, batchSize: Int = 32, threads: Int = 2,
        temperature: Double = 0,
        seed: UInt64 = 0
    ) {
        self.beams = beams
        self.maximumLength = maximumLength
        self.batchSize = batchSize
        self.threads = threads
        self.temperature = temperature
        self.seed = seed
    }
}

/// What the task's metric says.
package struct TaskScore: Sendable {
    /// A metric and its value.
    package struct Value: Sendable, Equatable {
        /// The metric's name, as JSON keys and table heads show it.
        package let name: String
        /// Its value.
        package let value: Double

        /// A named value.
        package init(name: String, value: Double) {
            self.name = name
            self.value = value
        }
    }

    /// The metric that plans are judged by comes first.
    package let values: [Value]
    /// Metric and settings, as the field writes them.
    package let signature: String
    /// Tokens that were generated or classified.
    package let tokens: Int
    /// What the network produced, item by item.
    package let outputs: [String]

    /// A score from its parts.
    package init(values: [Value], signature: String, tokens: Int, outputs: [String]) {
        self.values = values
        self.signature = signature
        self.tokens = tokens
        self.outputs = outputs
    }
}
