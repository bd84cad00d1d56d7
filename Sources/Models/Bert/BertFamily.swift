import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// BERT and its kin (RoBERTa, XLM-R, ELECTRA, DistilBERT): classifiers and regressions of texts and pairs
/// (`BertForSequenceClassification`) and sentence encoders (`BertModel`).
package struct BertFamily: ModelFamily {
    /// The `model_type` of the family.
    package static let modelType = "bert"
    /// The family's own, and those of models that differ in names and settings.
    package static let modelTypes: [String] = BertVariant.all.keys.sorted()
    /// The tokenizer and what else a packed model needs.
    package let companionFiles = [
        "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "modules.json",
        "sentence_bert_config.json", "1_Pooling/config.json",
    ]

    /// `encoder.layer.0` and on, under `bert.` in some checkpoints.
    package var layerStack: LayerStack? {
        LayerStack(prefix: variant.layer.stack + ".", countKey: variant.keys.layers)
    }

    /// The model's shape.
    package let configuration: BertConfiguration
    /// The tokenizer.
    package let tokenizer: any EncoderTokenizer
    /// The model's own `model_type`.
    package var type: String { configuration.type }
    /// What its tensors are called.
    private let variant: BertVariant
    /// The network without weights.
    package let outline: EncoderNetwork

    /// Rows of the word embedding that may have no token, where the number of rows is a multiple of 64: it
    /// was rounded up for speed.
    static let paddingRows = 127

    /// Reads configuration and tokenizer; one-line errors for what is missing or unsupported.
    ///
    /// A vocab.txt has to have as many lines as the word embedding has rows, or fewer by at most
    /// `paddingRows` where these are a multiple of 64: with a line lost, the ids behind it are those of other
    /// tokens. In a tokenizer.json every token has its id, so that it may have fewer tokens. Special tokens
    /// have to be at least one, so that no text is empty, and no more than the positions.
    /// - Throws: `FileError`, `TokenizerError`.
    package init(directory: URL) throws {
        configuration = try BertConfiguration(directory: directory)
        variant = Self.variant(configuration)
        tokenizer = try encoderTokenizer(directory: directory, hasWords: variant.paddingToken == nil)
        try Settings.check(directory.appending(path: "tokenizer_config.json"), BertSettings.tokenizer)
        guard tokenizer.vocabularySize <= configuration.vocabularySize else {
            throw FileError(
                directory,
                "the tokenizer has \(tokenizer.vocabularySize) tokens, config.json says vocab_size \(configuration.vocabularySize)"
            )
        }
        outline = try Self.network(configuration)
        if tokenizer.idsAreLines { try checkLines(directory.appending(path: "vocab.txt")) }
        try checkFrame(ofPair: false, directory)
        if case .embedding = configuration.task { return }
        try checkFrame(ofPair: true, directory)
    }

    /// What the tensors of a model are called; a configuration's type is one that there is.
    static func variant(_ configuration: BertConfiguration) -> BertVariant {
        BertVariant.all[configuration.type]
            ?? BertVariant(classPrefix: "Bert", base: "bert.", rules: BertSettings.model)
    }

    /// Refuses a vocab.txt that is likely to lack lines.
    private func checkLines(_ file: URL) throws(FileError) {
        let (lines, rows) = (tokenizer.vocabularySize, configuration.vocabularySize)
        guard lines == rows || (rows % 64 == 0 && rows - lines <= Self.paddingRows) else {
            throw FileError(
                file,
                "has \(lines) lines, config.json says vocab_size \(rows): expected as many, or up to \(Self.paddingRows) fewer where vocab_size is a multiple of 64"
            )
        }
    }

    /// Refuses special tokens and types that the network cannot take, or that leave nothing of an empty text.
    private func checkFrame(ofPair isPair: Bool, _ directory: URL) throws(FileError) {
        let (specialTokens, type) = tokenizer.frame(ofPair: isPair)
        let input = isPair ? "a pair" : "a text"
        let file = directory.appending(path: "tokenizer.json")
        guard specialTokens > 0 else {
            throw FileError(
                file, "'post_processor' puts no special token around \(input): expected at least 1")
        }
        guard specialTokens <= configuration.maximumPositions else {
            let before = configuration.positionRows - configuration.maximumPositions
            throw FileError(
                directory.appending(path: "config.json"),
                "'max_position_embeddings': expected at least \(before + specialTokens), the special tokens around \(input), got \(configuration.positionRows)"
            )
        }
        guard type < configuration.types || configuration.types == 1 else {
            throw FileError(
                file,
                "'post_processor' gives \(input) the type_id \(type): expected 0 to \(configuration.types - 1), config.json says type_vocab_size \(configuration.types)"
            )
        }
    }

    /// Classification, labelling or regression, or similarity where the model is a sentence encoder.
    package var task: any Task<EncoderNetwork> {
        let input = EncoderInput(
            tokenizer: tokenizer, maximumLength: configuration.maximumLength,
            lowercasesTexts: configuration.lowercasesTexts, types: configuration.types)
        return switch configuration.task {
        case .classification(let labels): TextClassification(input: input, labels: labels)
        case .labelling(let labels): TextLabelling(input: input, labels: labels)
        case .regression: TextRegression(input: input)
        case .embedding(let pooling, let isNormalized):
            SentenceSimilarity(input: input, pooling: pooling, isNormalized: isNormalized)
        }
    }

    /// Other names of a tensor: with or without `bert.`, and LayerNorms as TensorFlow named them.
    package func aliases(of tensor: String) -> [String] {
        let base = variant.base
        var names = [tensor, tensor.hasPrefix(base) ? String(tensor.dropFirst(base.count)) : base + tensor]
        for (new, old) in [("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")]
        where tensor.hasSuffix(new) {
            names += names.map { $0.dropLast(new.count) + old }
        }
        return Array(names.dropFirst())
    }

    /// Shapes that differ in width, depth, inner width and heads; the last has embeddings of another width.
    package static func specimens() throws -> [Specimen] {
        try [
            (128, 512, 2, 2), (128, 512, 4, 6), (256, 512, 4, 4), (256, 1024, 8, 4), (384, 1536, 12, 6),
            (512, 2048, 8, 2), (512, 1024, 16, 4), (768, 3072, 12, 3),
        ].map { width, inner, heads, layers in
            let settings = Specimen.settings(
                modelType,
                [
                    "hidden_size": width, "vocab_size": 8000, "num_hidden_layers": layers,
                    "num_attention_heads": heads, "intermediate_size": inner,
                    "architectures": ["BertForSequenceClassification"], "num_labels": 2,
                ])
            return Specimen(modelType, try network(try BertConfiguration(settings)))
        } + [
            Specimen(
                modelType,
                try network(
                    try BertConfiguration(
                        Specimen.settings(
                            "electra",
                            [
                                "hidden_size": 256, "vocab_size": 8000, "num_hidden_layers": 4,
                                "num_attention_heads": 4, "intermediate_size": 1024, "embedding_size": 128,
                                "architectures": ["ElectraForSequenceClassification"], "num_labels": 2,
                            ]))))
        ]
    }
}
