import PlanFormat

extension BertFamily {
    /// The network of this shape: `Emb` (words), `Pos` (positions and types added, then a LayerNorm), `Proj`
    /// where embeddings have another width than layers, post-norm `Attention` and `FFN` by depth, and before
    /// classes, labels or a number `Pooler` and `Head`. A sentence encoder does not use its pooler, which is
    /// therefore not counted.
    ///
    /// - Source: Devlin et al. 2019; Liu et al. 2019 (RoBERTa); Sanh et al. 2019 (DistilBERT); Clark et al.
    ///   2020 (ELECTRA).
    package static func network(
        _ configuration: BertConfiguration, _ weights: WeightTable? = nil
    ) throws(MissingWeight) -> EncoderNetwork {
        let pooling: Pooling? =
            if case .embedding(let pooling, _) = configuration.task { pooling } else { nil }
        let answer: EncoderNetwork.Answer =
            switch configuration.task {
            case .classification, .embedding: .oneClass
            case .labelling(let labels): .labels(labels.count)
            case .regression: .number
            }
        return try EncoderNetwork(
            weights, pooling: pooling, answer: answer, paddingToken: configuration.paddingToken
        ) { weights throws(MissingWeight) in try parts(configuration, weights) }
    }

    private static func parts(
        _ configuration: BertConfiguration, _ weights: WeightTable?
    ) throws(MissingWeight) -> EncoderNetwork.Parts {
        let variant = variant(configuration)
        let width = configuration.width
        let scores: Int? =
            switch configuration.task {
            case .classification(let labels), .labelling(let labels): labels.count
            case .regression: 1
            case .embedding: nil
            }
        // Where a head stands behind it, `bert.` stands before the encoder's names.
        let base = scores == nil ? "" : variant.base
        var list = SublayerList(weights)
        let embedding = try embeddings(configuration, base, &list)
        try layers(configuration, base, &list)
        var head: Linear?
        if let scores {
            let pooler = variant.pooler
            try list.append(.pooler) { reader throws(MissingWeight) in
                try Pooler(
                    (pooler.isInBase ? base : "") + pooler.name, width: width, activation: pooler.activation,
                    &reader)
            }
            let isInChain = if case .classification = configuration.task { false } else { true }
            let projection = try list.append(.head) { reader throws(MissingWeight) in
                try OutputProjection(
                    variant.classifier, rows: scores, columns: width, hasBias: true, isInChain: isInChain,
                    &reader)
            }
            head = isInChain ? nil : projection.linear
        }
        return EncoderNetwork.Parts(sublayers: list, embedding: embedding, head: head)
    }

    private static func embeddings(
        _ configuration: BertConfiguration, _ base: String, _ list: inout SublayerList
    ) throws(MissingWeight) -> TokenEmbedding {
        let (width, embeddings) = (configuration.embeddingWidth, base + "embeddings.")
        let embedding = try list.append(.embedding) { reader throws(MissingWeight) in
            try TokenEmbedding(
                embeddings + "word_embeddings.weight", rows: configuration.vocabularySize, width: width,
                lookups: [.read], isTied: false, &reader)
        }
        let hasTypes = variant(configuration).types != nil
        try list.append(.positions) { reader throws(MissingWeight) in
            try PositionEmbedding(
                positions: embeddings + "position_embeddings.weight", count: configuration.positionRows,
                types: hasTypes ? (embeddings + "token_type_embeddings.weight", configuration.types) : nil,
                norm: embeddings + "LayerNorm", .post(width: width, epsilon: configuration.normEpsilon),
                .encoder, &reader)
        }
        if width != configuration.width {
            try list.append(.embeddingProjection) { reader throws(MissingWeight) in
                try EmbeddingProjection(
                    base + "embeddings_project", from: width, to: configuration.width, &reader)
            }
        }
        return embedding
    }

    private static func layers(
        _ configuration: BertConfiguration, _ base: String, _ list: inout SublayerList
    ) throws(MissingWeight) {
        let (width, names) = (configuration.width, variant(configuration).layer)
        let norm = Normalization.post(width: width, epsilon: configuration.normEpsilon)
        let shape = AttentionShape(width: width, heads: configuration.heads)
        for depth in 0..<configuration.layers {
            let layer = "\(base)\(names.stack).\(depth)."
            try list.append(.attention, depth: depth) { reader throws(MissingWeight) in
                try SelfAttention(
                    AttentionNames(
                        query: layer + names.query, key: layer + names.key, value: layer + names.value,
                        output: layer + names.output),
                    shape, norm: layer + names.attentionNorm, norm, .encoder, &reader)
            }
            try list.append(.feedForward, depth: depth) { reader throws(MissingWeight) in
                try FeedForward(
                    FeedForward.Shape(
                        inner: [layer + names.inner], outer: layer + names.outer, width: width,
                        innerWidth: configuration.innerWidth, activation: configuration.activation),
                    norm: layer + names.norm, norm, .encoder, &reader)
            }
        }
    }
}
