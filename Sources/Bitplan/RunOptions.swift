import BitplanModels
import BitplanTokenizers

/// How a task is run.
public struct RunOptions: Sendable {
    /// Hypotheses of a beam search; 1 is greedy.
    public var beams: Int
    /// The longest output in tokens; the model's own limit where nil.
    public var maximumLength: Int?
    /// Items at a time.
    public var batchSize: Int
    /// Threads, each with batches of its own, or all with the products of a single one; results do not depend
    /// on it.
    public var threads: Int
    /// Language models: what logits are divided by before a token is drawn; 0 takes the likeliest.
    public var temperature: Double
    /// Where drawing starts.
    public var seed: UInt64
    /// Models that translate between many languages: the source's, by the model's own code; that of the
    /// model's settings where nil.
    public var sourceLanguage: String?
    /// As `sourceLanguage`, the target's.
    public var targetLanguage: String?

    /// Greedy, 32 items at a time, two threads.
    public init(
        beams: Int = 1, maximumLength: Int? = nil, batchSize: Int = 32, threads: Int = 2,
        temperature: Double = 0, seed: UInt64 = 0, sourceLanguage: String? = nil,
        targetLanguage: String? = nil
    ) {
        self.beams = beams
        self.maximumLength = maximumLength
        self.batchSize = batchSize
        self.threads = threads
        self.temperature = temperature
        self.seed = seed
        self.sourceLanguage = sourceLanguage
        self.targetLanguage = targetLanguage
    }

    /// What the stages take.
    var task: TaskOptions {
        TaskOptions(
            beams: beams, maximumLength: maximumLength, batchSize: batchSize, threads: threads,
            temperature: temperature, seed: seed,
            languages: TranslationLanguages(chosenSource: sourceLanguage, target: targetLanguage))
    }
}
