import BitplanTensors
import Foundation

/// The shape of a model of BERT's kin and what it is for, read from `config.json` and, for sentence encoders,
/// the files that sentence-transformers puts beside it.
package struct BertConfiguration: Sendable, Equatable {
    /// `model_type`.
    package let type: String
    /// Channels between sublayers.
    package let width: Int
    /// Channels of the embeddings.
    package let embeddingWidth: Int
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
    /// Rows of the table of positions.
    package let positionRows: Int
    /// The padding token, behind whose row positions start; nil where they start at 0.
    package let paddingToken: Int?
    /// Positions that a text may have.
    package var maximumPositions: Int { positionRows - (paddingToken.map { $0 + 1 } ?? 0) }
    /// Texts that the model tells apart in one input; 1 where it has no types.
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
        /// All labels that hold for a text or a pair of texts, by their names.
        case labelling(labels: [String])
        /// A number for a text or a pair of texts.
        case regression
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
        type = try settings.text("model_type")
        guard let variant = BertVariant.all[type] else {
            let known = BertVariant.all.keys.sorted().joined(separator: ", ")
            throw FileError(
                settings.file, "model_type '\(type)' is not supported here: expected one of \(known)")
        }
        try settings.check(variant.rules)
        let keys = variant.keys
        width = try settings.size(keys.width)
        vocabularySize = try settings.size("vocab_size")
        layers = try settings.count(keys.layers)
        heads = try settings.size(keys.heads)
        innerWidth = try settings.size(keys.innerWidth)
        guard width % heads == 0 else {
            throw FileError(
                settings.file, "\(keys.width) \(width) is not a multiple of \(keys.heads) \(heads)")
        }
        activation = try ActivationFunction(settings, keys.activation, or: "gelu")
        normEpsilon =
            if let key = keys.normEpsilon { Float(try settings.number(key, or: 1e-12)) } else { 1e-12 }
        embeddingWidth =
            if let usual = variant.embeddingWidth {
                try settings.size("embedding_size", or: usual)
            } else { width }
        positionRows = try settings.size("max_position_embeddings", or: 512)
        types = if let usual = variant.types { try settings.size("type_vocab_size", or: usual) } else { 1 }
        if let usual = variant.paddingToken {
            let token = try settings.integer("pad_token_id", or: usual)
            guard (0..<vocabularySize).contains(token), token + 1 < positionRows else {
                throw FileError(
                    settings.file,
                    "'pad_token_id': expected 0 to \(min(vocabularySize - 1, positionRows - 2)), behind which positions start, got \(token)"
                )
            }
            paddingToken = token
        } else {
            paddingToken = nil
        }
        let positions = positionRows - (paddingToken.map { $0 + 1 } ?? 0)
        maximumLength = min(encoder?.maximumLength ?? tokenizerLength ?? positions, positions)
        lowercasesTexts = encoder?.lowercasesTexts ?? false
        if let task = encoder?.task {
            self.task = task
        } else {
            task = try BertConfiguration.task(settings, variant)
        }
    }

    /// The task that `architectures` names. Without it nothing tells a classifier from a sentence encoder but
    /// its weights, so it has to be there.
    private static func task(_ settings: Settings, _ variant: BertVariant) throws(FileError) -> Task {
        let (classifier, encoder) = (
            variant.classPrefix + "ForSequenceClassification", variant.classPrefix + "Model"
        )
        if try settings.architecture([classifier, encoder]) == encoder {
            return .embedding(pooling: .mean, isNormalized: false)
        }
        let labels = try labels(settings)
        // As the reference trains them where they do not say it.
        let usual = labels.count == 1 ? "regression" : "single_label_classification"
        let problem = try settings.text("problem_type", or: usual)
        func check(_ count: ClosedRange<Int>, _ expected: String) throws(FileError) {
            guard count.contains(labels.count) else {
                throw FileError(
                    settings.file,
                    "problem_type '\(problem)' with \(labels.count) \(labels.count == 1 ? "class" : "classes") is not supported: expected \(expected)"
                )
            }
        }
        switch problem {
        case "single_label_classification":
            try check(2...Int.max, "at least 2")
            return .classification(labels: labels)
        case "multi_label_classification":
            return .labelling(labels: labels)
        case "regression":
            try check(1...1, "1")
            return .regression
        default:
            throw FileError(
                settings.file,
                "problem_type '\(problem)' is not supported: expected single_label_classification, multi_label_classification or regression"
            )
        }
    }

    private static func labels(_ settings: Settings) throws(FileError) -> [String] {
        guard let value = settings.any("id2label") else {
            let count = try settings.count("num_labels", or: 2)
            return (0..<count).map { "LABEL_\($0)" }
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
        guard !labels.isEmpty else { throw FileError(settings.file, "'id2label': expected at least 1 class") }
        return labels
    }
}
