import PlanFormat

extension BertFamily {
    /// The network of this shape: `Emb` (words), `Pos` (positions and types added, then a LayerNorm),
    /// post-norm `Attention` and `FFN` by depth, and for a classifier `Pooler` and `Head`. A sentence encoder
    /// does not use its pooler, which is therefore not counted.
    ///
    /// - Source: Devlin et al. 2019.
    package static func network(
        _ configuration: BertConfiguration, _ weights: WeightTable? = nil
    ) throws(MissingWeight) -> EncoderNetwork {
        let pooling: Pooling? =
            if case .embedding(let pooling, _) = configuration.task { pooling } else { nil }
        return try EncoderNetwork(weights, pooling: pooling) { weights throws(MissingWeight) in
            try parts(configuration, weights)
        }
    }

    private static func parts(
        _ configuration: BertConfiguration, _ weights: WeightTable?
    ) throws(MissingWeight) -> EncoderNetwork.Parts {
        let width = configuration.width
        // Where a head stands behind it, `bert.` stands before the encoder's names.
        let base = if case .classification = configuration.task { "bert." } else { "" }
        let embeddings = base + "embeddings."
        let norm = Normalization.post(width: width, epsilon: configuration.normEpsilon)
        let shape = AttentionShape(width: width, heads: configuration.heads)
        var list = SublayerList(weights)
        let embedding = try list.append(.embedding) { reader throws(MissingWeight) in
            try TokenEmbedding(
                embeddings + "word_embeddings.weight", rows: configuration.vocabularySize, width: width,
                lookups: [.read], isTied: false, &reader)
        }
        try list.append(.positions) { reader throws(MissingWeight) in
            try PositionEmbedding(
                positions: embeddings + "position_embeddings.weight", count: configuration.maximumPositions,
                types: (embeddings + "token_type_embeddings.weight", configuration.types),
                norm: embeddings + "LayerNorm", norm, .encoder, &reader)
        }
        for depth in 0..<configuration.layers {
            let layer = "\(base)encoder.layer.\(depth)"
            let attention = layer + ".attention"
            try list.append(.attention, depth: depth) { reader throws(MissingWeight) in
                try SelfAttention(
                    AttentionNames(
                        query: attention + ".self.query", key: attention + ".self.key",
                        value: attention + ".self.value", output: attention + ".output.dense"),
                    shape, norm: attention + ".output.LayerNorm", norm, .encoder, &reader)
            }
            try list.append(.feedForward, depth: depth) { reader throws(MissingWeight) in
                try FeedForward(
                    FeedForward.Shape(
                        inner: [layer + ".intermediate.dense"], outer: layer + ".output.dense",
                        width: width, innerWidth: configuration.innerWidth,
                        activation: configuration.activation),
                    norm: layer + ".output.LayerNorm", norm, .encoder, &reader)
            }
        }
        var head: Linear?
        if case .classification(let labels) = configuration.task {
            try list.append(.pooler) { reader throws(MissingWeight) in
                try Pooler(base + "pooler.dense", width: width, &reader)
            }
            head = try list.append(.head) { reader throws(MissingWeight) in
                try OutputProjection(
                    "classifier", rows: labels.count, columns: width, hasBias: true, &reader)
            }.linear
        }
        return EncoderNetwork.Parts(sublayers: list, embedding: embedding, head: head)
    }
}
