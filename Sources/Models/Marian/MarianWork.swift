import PlanFormat

// What a translation runs: the encoder once a sentence, the decoder and the output projection once a token.

extension MarianNetwork {
    /// The work of a sentence: keys and values of the source are made once, when it is read.
    package static func work(_ configuration: MarianConfiguration) -> ModelWork {
        let width = configuration.width
        let (encoder, decoder) = (configuration.encoderHeads, configuration.decoderHeads)
        func feedForward(_ pass: Pass) -> SublayerWork {
            SublayerWork(products: [.init([0], pass, isActivated: true), .init([1], pass)])
        }
        return ModelWork(types: [
            "Emb": SublayerWork(products: [.init([0], .predict)], lookups: [.read, .step]),
            "Enc_ee": SublayerWork(
                products: [.init([0, 1, 2], .read), .init([3], .read)],
                attentions: [.init(.read, over: .read, heads: encoder, width: width)]),
            "Enc_ffn": feedForward(.read),
            "Dec_dd": SublayerWork(
                products: [.init([0, 1, 2], .step), .init([3], .step)],
                attentions: [.init(.step, over: .generated, heads: decoder, width: width)]),
            "Dec_ed": SublayerWork(
                products: [.init([1, 2], .read), .init([0], .step), .init([3], .step)],
                attentions: [.init(.step, over: .read, heads: decoder, width: width)]),
            "Dec_ffn": feedForward(.step),
        ])
    }

    /// Translates one sentence greedily.
    package func answer(_ example: Example, maximumLength: Int?) -> Workload {
        let tokens = greedy([example.source], maximumLength: maximumLength)[0].count
        return Workload(read: example.source.count, steps: tokens, predictions: tokens)
    }

    /// The source is read, every target token is a step.
    package func workload(of example: Example) -> Workload {
        Workload(
            read: example.source.count, steps: example.target.count, predictions: example.target.count)
    }

    /// Translates a sentence of so many tokens into exactly so many.
    package func perform(_ workload: Workload) {
        _ = greedy(
            [Specimen.tokens(workload.read, vocabularySize: configuration.vocabularySize)],
            forcedLength: workload.steps)
    }
}

extension MarianFamily {
    /// Shapes that differ in width, depth, inner width, heads and vocabulary.
    package static func specimens() throws -> [Specimen] {
        try [
            (128, 512, 4, 4, 4, 4000), (128, 512, 4, 2, 6, 16000), (256, 2048, 4, 6, 2, 8000),
            (256, 1024, 8, 3, 3, 32000), (512, 2048, 8, 6, 6, 32000), (512, 1024, 8, 6, 6, 65000),
            (512, 2048, 16, 3, 1, 8000), (128, 1024, 8, 6, 6, 8000), (384, 1536, 6, 6, 1, 32000),
        ].map { (width, inner, heads, encoderLayers, decoderLayers, vocabulary) in
            let settings = Specimen.settings(
                modelType,
                [
                    "d_model": width, "vocab_size": vocabulary, "encoder_layers": encoderLayers,
                    "decoder_layers": decoderLayers, "encoder_attention_heads": heads,
                    "decoder_attention_heads": heads, "encoder_ffn_dim": inner, "decoder_ffn_dim": inner,
                    "activation_function": "swish", "pad_token_id": vocabulary - 1, "eos_token_id": 0,
                ])
            let configuration = try MarianConfiguration(settings, generation: settings)
            return Specimen(
                modelType, layout: MarianNetwork.layout(configuration),
                vectors: MarianNetwork.vectors(configuration)
            ) { try MarianNetwork(configuration, $0) }
        }
    }
}
