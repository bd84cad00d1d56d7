import BitplanTokenizers
import PlanFormat

// What a text takes: every layer once over all its tokens, the classifier over its first one.

extension BertNetwork {
    /// The work of a text.
    package static func work(_ configuration: BertConfiguration) -> ModelWork {
        ModelWork(types: [
            "Emb": SublayerWork(products: [], lookups: [.read]),
            "Pos": SublayerWork(products: [], lookups: [.read]),
            "Attention": SublayerWork(
                products: [.init([0, 1, 2], .read), .init([3], .read)],
                attentions: [
                    .init(.read, over: .read, heads: configuration.heads, width: configuration.width)
                ]),
            "FFN": SublayerWork(products: [.init([0], .read, isActivated: true), .init([1], .read)]),
            "Pooler": SublayerWork(products: [.init([0], .predict)]),
            "Head": SublayerWork(products: [.init([0], .predict)]),
        ])
    }

    /// Runs one text, or a pair.
    package func answer(_ example: Example, maximumLength: Int?) -> Workload {
        let state = state([example])
        switch configuration.task {
        case .classification: _ = logits(outputs(state))
        case .embedding: _ = vectors(state)
        }
        return workload(of: example)
    }

    /// All tokens are read.
    package func workload(of example: Example) -> Workload {
        Workload(
            read: example.sequences.reduce(0) { $0 + $1.ids.count }, steps: 0, predictions: 1,
            sequences: example.sequences.count)
    }

    /// Runs texts of so many tokens together.
    package func perform(_ workload: Workload) {
        let count = max(1, workload.sequences)
        let sequences = (0..<count).map { index in
            let length = workload.read * (index + 1) / count - workload.read * index / count
            return TokenSequence(
                ids: Specimen.tokens(length, vocabularySize: configuration.vocabularySize),
                typeIDs: [Int](repeating: 0, count: length))
        }
        _ = answer(Example(sequences), maximumLength: nil)
    }
}

extension BertFamily {
    /// Shapes that differ in width, depth, inner width and heads.
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
            let configuration = try BertConfiguration(settings)
            return Specimen(
                modelType, layout: BertNetwork.layout(configuration),
                vectors: BertNetwork.vectors(configuration)
            ) { try BertNetwork(configuration, $0) }
        }
    }
}
