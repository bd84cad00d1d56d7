import PlanFormat

// What a text takes: the prompt once, then every layer once a token; the output projection once a token from the first on.

extension LlamaNetwork {
    /// The work of a prompt and its continuation.
    package static func work(_ configuration: LlamaConfiguration) -> ModelWork {
        let width = configuration.heads * configuration.headSize
        func attention(_ pass: Pass, over keys: SublayerWork.Attention.Keys) -> SublayerWork {
            SublayerWork(
                products: [.init([0, 1, 2], pass), .init([3], pass)],
                attentions: [.init(pass, over: keys, heads: configuration.heads, width: width)])
        }
        func feedForward(_ pass: Pass) -> SublayerWork {
            SublayerWork(products: [.init([0, 1], pass, isActivated: true), .init([2], pass)])
        }
        let projection = SublayerWork(products: [.init([0], .predict)])
        let embedding = SublayerWork(products: [], lookups: [.read, .step])
        return ModelWork(types: [
            "Emb": configuration.isTied ? embedding.adding(projection) : embedding,
            "Head": projection,
            "Attention": attention(.read, over: .readBefore).adding(
                attention(.step, over: .readAndGenerated)),
            "FFN": feedForward(.read).adding(feedForward(.step)),
        ])
    }

    /// The first half of a window is a prompt, the second as many tokens as are generated.
    package func workload(of example: Example) -> Workload {
        let read = max(1, example.tokens.count / 2)
        let count = max(1, example.tokens.count - read)
        return Workload(read: read, steps: count - 1, predictions: count)
    }

    /// Continues the first half of a window by as many tokens as the second has.
    package func answer(_ example: Example, maximumLength: Int?) -> Workload {
        var work = workload(of: example)
        work.predictions = min(maximumLength ?? .max, work.predictions)
        let tokens = generate(
            [Array(example.tokens.prefix(work.read))], maximumLength: work.predictions, endTokens: [])[0]
            .count
        return Workload(read: work.read, steps: max(0, tokens - 1), predictions: tokens)
    }

    /// Continues a prompt of so many tokens by exactly so many.
    package func perform(_ workload: Workload) {
        let prompt = Specimen.tokens(max(1, workload.read), vocabularySize: configuration.vocabularySize)
        _ = generate([prompt], maximumLength: workload.predictions, endTokens: [])
    }
}

extension LlamaFamily {
    /// Shapes that differ in width, depth, inner width, heads and vocabulary.
    package static func specimens() throws -> [Specimen] {
        try [
            (128, 384, 4, 4, 4000), (128, 512, 4, 8, 8000), (256, 768, 4, 4, 16000), (256, 1024, 8, 8, 8000),
            (384, 1024, 6, 4, 32000), (512, 1536, 8, 8, 32000), (512, 1024, 16, 4, 16000),
            (576, 1536, 9, 6, 49000),
        ].map { width, inner, heads, layers, vocabulary in
            let settings = Specimen.settings(
                modelType,
                [
                    "hidden_size": width, "vocab_size": vocabulary, "num_hidden_layers": layers,
                    "num_attention_heads": heads, "intermediate_size": inner, "tie_word_embeddings": true,
                ])
            let configuration = try LlamaConfiguration(settings, generation: settings)
            return Specimen(
                modelType, layout: LlamaNetwork.layout(configuration),
                vectors: LlamaNetwork.vectors(configuration)
            ) { try LlamaNetwork(configuration, $0) }
        }
    }
}
