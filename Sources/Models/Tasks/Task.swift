import BitplanMetrics
import BitplanTensors
import BitplanTokenizers
import Foundation

/// What a model is used for: how its data are read, how well it does on them, and how it answers a line.
/// Families share tasks.
package protocol Task<Net>: Sendable {
    /// The networks that do it.
    associatedtype Net: Network

    /// Whether less of the metric that plans are judged by is better: perplexity, not BLEU.
    var prefersLessMetric: Bool { get }

    /// Whether KL is measured along target tokens that the data may lack: those of a translation.
    var hasTargetTokens: Bool { get }

    /// The task with what files `options` name, read once.
    func prepared(_ options: TaskOptions) throws -> any Task<Net>

    /// Reads the data that a model is measured on; `limit` keeps the first items. Data without references are
    /// read too, where the task has references.
    ///
    /// - Parameter windows: how a text is cut into items; the task's own way where nil. Tasks that read items
    ///   one by one know no other.
    func dataset(_ files: [URL], limit: Int?, windows: TextWindows?) throws -> Dataset<Net.Example>

    /// What the network itself says of every item, greedily, as target tokens that KL can be measured along;
    /// only for a task with target tokens.
    func ownTargets(
        _ network: Net, of data: Dataset<Net.Example>, options: TaskOptions
    ) throws -> [[Int]]

    /// The data with other target tokens, one list for each item; references stay.
    func replacingTargets(_ data: Dataset<Net.Example>, _ targets: [[Int]]) -> Dataset<Net.Example>

    /// The task's metric over the whole of `data`, from what the network produces; no values where the data
    /// have no references.
    func score(_ network: Net, on data: Dataset<Net.Example>, options: TaskOptions) throws -> TaskScore

    /// Answers input lines: translations, labels, text; `LineError` where one cannot be answered.
    func run(_ network: Net, lines: [String], options: TaskOptions) throws -> [String]
}

extension Task {
    /// More is better.
    package var prefersLessMetric: Bool { false }

    /// Refuses a shortlist, which is for translations.
    package func prepared(_ options: TaskOptions) throws -> any Task<Net> {
        if let file = options.shortlist { throw DataError.shortlist(file) }
        return self
    }

    /// KL compares what the network says of an item as it is.
    package var hasTargetTokens: Bool { false }

    /// No target tokens.
    package func ownTargets(
        _ network: Net, of data: Dataset<Net.Example>, options: TaskOptions
    ) throws -> [[Int]] { [] }

    /// No target tokens to replace.
    package func replacingTargets(
        _ data: Dataset<Net.Example>, _ targets: [[Int]]
    ) -> Dataset<Net.Example> { data }

    /// Reads data the task's own way.
    package func dataset(_ files: [URL], limit: Int?) throws -> Dataset<Net.Example> {
        try dataset(files, limit: limit, windows: nil)
    }

    /// Refuses windows, for tasks that read items one by one.
    func refuse(_ windows: TextWindows?) throws(DataError) {
        guard windows == nil else { throw .windowsOfItems }
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
    /// What the task's metric compares with: reference translations, labels; empty where the data have none.
    package let references: [String]
    /// How a text was cut into items; nil where items are read one by one.
    package let windows: TextWindows?

    /// A dataset of these items.
    package init(examples: [Example], references: [String], windows: TextWindows? = nil) {
        self.examples = examples
        self.references = references
        self.windows = windows
    }

    /// Whether the task's metric has something to compare with.
    package var hasReferences: Bool { !references.isEmpty }

    /// The items of `range`.
    package subscript(range: Range<Int>) -> Dataset {
        Dataset(
            examples: Array(examples[range]), references: hasReferences ? Array(references[range]) : [],
            windows: windows)
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
    /// Threads, each with batches of its own, or all with the products of a single one; results do not depend
    /// on it.
    package var threads: Int
    /// What logits are divided by before a language model draws a token; 0 takes the likeliest.
    package var temperature: Double
    /// Where drawing starts; the same seed draws the same text, whatever the batches.
    package var seed: UInt64
    /// The shortlist of the tokens that a translation may have; all where nil.
    package var shortlist: URL?
    /// The languages that a model is to translate between; its own where nil.
    package var languages: TranslationLanguages?

    /// Options with their defaults: greedy, 32 items at a time, two threads.
    package init(
        beams: Int = 1, maximumLength: Int? = nil, batchSize: Int = 32, threads: Int = 2,
        temperature: Double = 0,
        seed: UInt64 = 0, shortlist: URL? = nil, languages: TranslationLanguages? = nil
    ) {
        self.beams = beams
        self.maximumLength = maximumLength
        self.batchSize = batchSize
        self.threads = threads
        self.temperature = temperature
        self.seed = seed
        self.shortlist = shortlist
        self.languages = languages
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

    /// The metric that plans are judged by comes first; empty where the data have no references.
    package let values: [Value]
    /// Metric and settings, as the field writes them.
    package let signature: String
    /// Tokens that were generated or classified.
    package let tokens: Int
    /// What the network produced, item by item.
    package let outputs: [String]
    /// What the first of `values` is made of, item by item; nil where nothing is measured.
    package let items: MetricItems?

    /// A score from its parts.
    package init(
        values: [Value], signature: String, tokens: Int, outputs: [String], items: MetricItems? = nil
    ) {
        self.items = items
        self.values = values
        self.signature = signature
        self.tokens = tokens
        self.outputs = outputs
    }
}
