import BitplanTensors
import Foundation

/// The shape of a BERT model and what it is for, read from `config.json` and, for sentence encoders, the
/// files that sentence-transformers puts beside it.
package struct BertConfiguration: Sendable, Equatable {
    /// Channels between sublayers.
    package let width: Int
    /// Rows of the word embedding.
    package let vocabularySize: Int
    /// The number of layers.
    package let layers: Int
    /// Attention heads.
    package let heads: Int
    /// Channels inside a feed-forward sublayer.
    package let innerWidth: Int
    /// The non-linearity.
    package let activation: ActivationFunction
    /// What is added to the variance in a norm.
    package let normEpsilon: Float
    /// Positions that the model has embeddings for.
    package let maximumPositions: Int
    /// Texts that the model tells apart in one input.
    package let types: Int
    /// The most tokens of an input: longer ones are cut, as the models' own tools cut them. `max_seq_length`
    /// of a sentence encoder, else the tokenizer's `model_max_length`, and never more than
    /// `maximumPositions`.
    package let maximumLength: Int
    /// Whether texts become lower case before the tokenizer sees them: `do_lower_case` of a sentence encoder.
    package let lowercasesTexts: Bool
    /// What the model is used for.
    package let task: Task

    /// What the model's last states are made into.
    package enum Task: Sendable, Equatable {
        /// A label for a text or a pair of texts, by their names in order of the classes.
        case classification(labels: [String])
        /// A vector for a text.
        case embedding(pooling: Pooling, isNormalized: Bool)
    }

    /// Reads the configuration of a model directory.
    ///
    /// - Throws: `FileError` where a file is missing, a key has the wrong type or a value that bitplan does
    ///   not support.
    package init(directory: URL) throws(FileError) {
        try self.init(
            try Settings(directory.appending(path: "config.json")),
            encoder: try SentenceEncoderFiles(directory),
            tokenizerLength: try BertConfiguration.tokenizerLength(directory))
    }

    /// `model_max_length` of tokenizer_config.json; nil where it says nothing. Tools write 1e30 for a
    /// tokenizer without a limit.
    private static func tokenizerLength(_ directory: URL) throws(FileError) -> Int? {
        let file = directory.appending(path: "tokenizer_config.json")
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        let settings = try Settings(file)
        guard settings.has("model_max_length") else { return nil }
        let length = try settings.number("model_max_length")
        guard length >= 1, length == length.rounded() else {
            throw FileError(file, "'model_max_length': expected an integer of at least 1, got \(length)")
        }
        return Int(min(length, 0x1p24))
    }

    /// Reads the configuration from its settings; errors as `init(directory:)`.
    package init(_ settings: Settings) throws(FileError) { try self.init(settings, encoder: nil) }

    private init(
        _ settings: Settings, encoder: SentenceEncoderFiles?, tokenizerLength: Int? = nil
    ) throws(FileError) {
        let type = try settings.text("model_type")
        guard type == "bert" else {
            throw FileError(settings.file, "model_type '\(type)' is not supported here: expected 'bert'")
        }
        try settings.check(BertSettings.model)
        width = try settings.size("hidden_size")
        vocabularySize = try settings.size("vocab_size")
        layers = try settings.count("num_hidden_layers")
        heads = try settings.size("num_attention_heads")
        innerWidth = try settings.size("intermediate_size")
        guard width % heads == 0 else {
            throw FileError(
                settings.file, "hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
        }
        activation = try ActivationFunction(settings, "hidden_act", or: "gelu")
        normEpsilon = Float(try settings.number("layer_norm_eps", or: 1e-12))
        maximumPositions = try settings.size("max_position_embeddings", or: 512)
        types = try settings.size("type_vocab_size", or: 2)
        maximumLength = min(
            encoder?.maximumLength ?? tokenizerLength ?? maximumPositions, maximumPositions)
        lowercasesTexts = encoder?.lowercasesTexts ?? false
        if let task = encoder?.task { self.task = task } else { task = try BertConfiguration.task(settings) }
    }

    /// The task that `architectures` names. Without it nothing tells a classifier from a sentence encoder but
    /// its weights, so it has to be there.
    private static func task(_ settings: Settings) throws(FileError) -> Task {
        try settings.architecture(["BertForSequenceClassification", "BertModel"]) == "BertModel"
            ? .embedding(pooling: .mean, isNormalized: false)
            : .classification(labels: try labels(settings))
    }

    private static func labels(_ settings: Settings) throws(FileError) -> [String] {
        let problem = try settings.text("problem_type", or: "single_label_classification")
        guard problem == "single_label_classification" else {
            throw FileError(
                settings.file,
                "problem_type '\(problem)' is not supported: expected single_label_classification")
        }
        guard let value = settings.any("id2label") else {
            let count = try settings.count("num_labels", or: 2)
            return try checked((0..<count).map { "LABEL_\($0)" }, settings)
        }
        guard let names = value as? [String: String] else {
            throw FileError(settings.file, "'id2label': expected an object of names by class")
        }
        var labels: [String] = []
        for index in 0..<names.count {
            guard let name = names[String(index)] else {
                throw FileError(settings.file, "'id2label': class \(index) of \(names.count) has no name")
            }
            labels.append(name)
        }
        return try checked(labels, settings)
    }

    private static func checked(_ labels: [String], _ settings: Settings) throws(FileError) -> [String] {
        guard labels.count >= 2 else {
            throw FileError(
                settings.file, "a classifier with \(labels.count) class is not supported: expected at least 2"
            )
        }
        return labels
    }
}
