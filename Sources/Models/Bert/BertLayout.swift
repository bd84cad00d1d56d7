import PlanFormat

/// The names of a BERT model's tensors: `bert.` stands before them where a head stands behind.
struct BertNames {
    private let base: String

    init(_ configuration: BertConfiguration) {
        if case .classification = configuration.task { base = "bert." } else { base = "" }
    }

    var words: String { base + "embeddings.word_embeddings.weight" }
    var positions: String { base + "embeddings.position_embeddings.weight" }
    var types: String { base + "embeddings.token_type_embeddings.weight" }
    var embeddingNorm: String { base + "embeddings.LayerNorm" }
    var pooler: String { base + "pooler.dense" }
    var head: String { "classifier" }

    private func layer(_ depth: Int) -> String { "\(base)encoder.layer.\(depth)" }

    func attention(_ depth: Int) -> AttentionNames {
        let name = layer(depth) + ".attention"
        return AttentionNames(
            query: name + ".self.query", key: name + ".self.key", value: name + ".self.value",
            output: name + ".output.dense")
    }

    func attentionNorm(_ depth: Int) -> String { layer(depth) + ".attention.output.LayerNorm" }
    func inner(_ depth: Int) -> String { layer(depth) + ".intermediate.dense" }
    func outer(_ depth: Int) -> String { layer(depth) + ".output.dense" }
    func outerNorm(_ depth: Int) -> String { layer(depth) + ".output.LayerNorm" }

    /// Other names of a tensor: with or without `bert.`, and LayerNorms as TensorFlow named them.
    func aliases(of tensor: String) -> [String] {
        var names = [tensor]
        if base.isEmpty {
            names.append("bert." + tensor)
        } else if tensor.hasPrefix(base) {
            names.append(String(tensor.dropFirst(base.count)))
        }
        for (new, old) in [("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")]
        where tensor.hasSuffix(new) {
            names += names.map { $0.dropLast(new.count) + old }
        }
        return Array(names.dropFirst())
    }
}

extension BertNetwork {
    /// The sublayers of a BERT model: `Emb` (words), `Pos` (positions), `Attention` and `FFN` by depth; for a classifier
    /// `Pooler` and `Head`. A sentence encoder does not use its pooler, which is therefore not counted either.
    package static func layout(_ configuration: BertConfiguration) -> ModelLayout {
        let names = BertNames(configuration)
        let width = configuration.width
        func one(_ type: String, _ tensor: String, _ rows: Int) -> SublayerShape {
            SublayerShape(
                name: SublayerName(type), matrices: [MatrixShape(tensor: tensor, rows: rows, columns: width)])
        }
        var sublayers = [
            one("Emb", names.words, configuration.vocabularySize),
            one("Pos", names.positions, configuration.maximumPositions),
        ]
        for depth in 0..<configuration.layers {
            let inner = configuration.innerWidth
            sublayers.append(
                SublayerShape(
                    name: SublayerName("Attention", depth: depth),
                    matrices: names.attention(depth).shapes(width: width)))
            sublayers.append(
                SublayerShape(
                    name: SublayerName("FFN", depth: depth),
                    matrices: [
                        MatrixShape(tensor: names.inner(depth) + ".weight", rows: inner, columns: width),
                        MatrixShape(tensor: names.outer(depth) + ".weight", rows: width, columns: inner),
                    ]))
        }
        if case .classification(let labels) = configuration.task {
            sublayers.append(one("Pooler", names.pooler + ".weight", width))
            sublayers.append(one("Head", names.head + ".weight", labels.count))
        }
        return ModelLayout(
            sublayers: sublayers, fixedParameters: vectors(configuration).reduce(0) { $0 + $1.count },
            work: work(configuration))
    }

    /// Names and lengths of what stays FP32: biases, LayerNorms and the embeddings of the few types.
    package static func vectors(_ configuration: BertConfiguration) -> [(name: String, count: Int)] {
        let names = BertNames(configuration)
        let width = configuration.width
        func norm(_ name: String) -> [(name: String, count: Int)] {
            [(name + ".weight", width), (name + ".bias", width)]
        }
        var vectors = [(name: names.types, count: configuration.types * width)] + norm(names.embeddingNorm)
        for depth in 0..<configuration.layers {
            let attention = names.attention(depth)
            vectors += [attention.query, attention.key, attention.value, attention.output].map {
                ($0 + ".bias", width)
            }
            vectors += norm(names.attentionNorm(depth))
            vectors += [
                (names.inner(depth) + ".bias", configuration.innerWidth),
                (names.outer(depth) + ".bias", width),
            ]
            vectors += norm(names.outerNorm(depth))
        }
        if case .classification(let labels) = configuration.task {
            vectors += [(names.pooler + ".bias", width), (names.head + ".bias", labels.count)]
        }
        return vectors
    }
}
