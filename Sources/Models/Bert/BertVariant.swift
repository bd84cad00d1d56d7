/// What sets one `model_type` of BERT's kin apart from the others: what its settings and tensors are called,
/// and the few things that it does in another way.
///
/// - Source: the configuration and modeling files of these models in Hugging Face transformers 5.24.
struct BertVariant: Sendable {
    /// What its classes start with: `BertModel`, `BertForSequenceClassification`.
    let classPrefix: String
    /// What stands before the names of the encoder's tensors where a head stands behind it.
    let base: String
    /// What bitplan does with the keys of config.json.
    let rules: SettingRules
    /// What config.json calls its sizes.
    var keys = Keys()
    /// What tensors of a layer are called.
    var layer = LayerNames()
    /// `type_vocab_size` where it is not given; nil for models without types.
    var types: Int? = 2
    /// `embedding_size` where it is not given; nil where embeddings have the width of the layers.
    var embeddingWidth: Int?
    /// `pad_token_id` where it is not given, of models whose positions start behind it; nil where they start
    /// at 0.
    var paddingToken: Int?
    /// The linear layer of the first token's state, `pooler.dense` behind `base`, and what follows it.
    var pooler = Pooler(name: "pooler.dense", isInBase: true, activation: .tanh)
    /// The linear layer of the classes.
    var classifier = "classifier"

    /// What config.json calls sizes.
    struct Keys: Sendable {
        var width = "hidden_size"
        var layers = "num_hidden_layers"
        var heads = "num_attention_heads"
        var innerWidth = "intermediate_size"
        var activation = "hidden_act"
        /// nil where the epsilon of the norms is 1e-12 in any case.
        var normEpsilon: String? = "layer_norm_eps"
    }

    /// What tensors of a layer are called, behind its number.
    struct LayerNames: Sendable {
        var stack = "encoder.layer"
        var query = "attention.self.query"
        var key = "attention.self.key"
        var value = "attention.self.value"
        var output = "attention.output.dense"
        var attentionNorm = "attention.output.LayerNorm"
        var inner = "intermediate.dense"
        var outer = "output.dense"
        var norm = "output.LayerNorm"
    }

    /// A classifier's first linear layer.
    struct Pooler: Sendable {
        let name: String
        let isInBase: Bool
        let activation: ActivationFunction
    }

    /// The head of RoBERTa and ELECTRA.
    private static func denseHead(_ activation: ActivationFunction) -> Pooler {
        Pooler(name: "classifier.dense", isInBase: false, activation: activation)
    }

    /// By `model_type`.
    static let all: [String: BertVariant] = [
        "bert": BertVariant(classPrefix: "Bert", base: "bert.", rules: BertSettings.model),
        "roberta": BertVariant(
            classPrefix: "Roberta", base: "roberta.", rules: BertSettings.roberta, paddingToken: 1,
            pooler: denseHead(.tanh), classifier: "classifier.out_proj"),
        "xlm-roberta": BertVariant(
            classPrefix: "XLMRoberta", base: "roberta.", rules: BertSettings.roberta, paddingToken: 1,
            pooler: denseHead(.tanh), classifier: "classifier.out_proj"),
        "electra": BertVariant(
            classPrefix: "Electra", base: "electra.", rules: BertSettings.electra, embeddingWidth: 128,
            pooler: denseHead(.gelu), classifier: "classifier.out_proj"),
        "distilbert": BertVariant(
            classPrefix: "DistilBert", base: "distilbert.", rules: BertSettings.distilbert,
            keys: Keys(
                width: "dim", layers: "n_layers", heads: "n_heads", innerWidth: "hidden_dim",
                activation: "activation", normEpsilon: nil),
            layer: LayerNames(
                stack: "transformer.layer", query: "attention.q_lin", key: "attention.k_lin",
                value: "attention.v_lin", output: "attention.out_lin", attentionNorm: "sa_layer_norm",
                inner: "ffn.lin1", outer: "ffn.lin2", norm: "output_layer_norm"),
            types: nil, pooler: Pooler(name: "pre_classifier", isInBase: false, activation: .relu)),
    ]
}
