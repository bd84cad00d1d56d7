import BitplanTensors
import Foundation
import PlanFormat

extension MarianNativeFamily {
    /// Marian's, of every norm.
    private static let normEpsilon: Float = 1e-6

    /// The network of this shape.
    ///
    /// - Source: Junczys-Dowmunt et al. 2018 (Marian); Kim et al. 2019 for the recurrent decoder; Chung et
    ///   al. 2020 for the names of the sublayers.
    package static func network(
        _ configuration: MarianNativeConfiguration, _ generation: TranslationSettings,
        _ weights: WeightTable? = nil
    ) throws(MissingWeight) -> EncoderDecoderNetwork {
        try EncoderDecoderNetwork(
            weights, generation: generation, maximumPositions: TranslationSettings.unlimited
        ) { weights throws(MissingWeight) in
            var list = SublayerList(weights)
            let ends = try list.append(.embedding) { reader throws(MissingWeight) in
                try TranslationEmbeddings(embeddings(configuration), &reader)
            }
            try appendEncoder(configuration, to: &list)
            try appendDecoder(configuration, to: &list)
            return EncoderDecoderNetwork.Parts(
                sublayers: list, source: ends.source, target: ends.target, output: ends.output)
        }
    }

    private static func embeddings(
        _ configuration: MarianNativeConfiguration
    ) -> TranslationEmbeddings.Shape {
        let shares = configuration.sharesEmbedding
        return TranslationEmbeddings.Shape(
            source: shares ? "embedding.weight" : "encoder.embedding.weight",
            sourceRows: configuration.sourceVocabularySize,
            target: shares ? nil : "decoder.embedding.weight",
            targetRows: configuration.targetVocabularySize,
            output: configuration.tiesOutput ? nil : "decoder.output.weight",
            outputBias: configuration.hasOutputBias ? "decoder.output.bias" : nil,
            width: configuration.width, scale: Float(configuration.width).squareRoot(),
            positions: Sinusoids(spreadOver: configuration.width))
    }

    private static func normalization(_ configuration: MarianNativeConfiguration) -> Normalization {
        configuration.normalizesBefore
            ? .pre(width: configuration.width, epsilon: normEpsilon)
            : .post(width: configuration.width, epsilon: normEpsilon)
    }

    private static func names(_ attention: String) -> AttentionNames {
        AttentionNames(
            query: attention + ".q", key: attention + ".k", value: attention + ".v", output: attention + ".o")
    }

    private static func appendEncoder(
        _ configuration: MarianNativeConfiguration, to list: inout SublayerList
    ) throws(MissingWeight) {
        let norm = normalization(configuration)
        let attention = AttentionShape(width: configuration.width, heads: configuration.heads)
        for depth in 0..<configuration.encoderLayers {
            let layer = "encoder.l\(depth + 1)"
            try list.append(.encoderSelfAttention, depth: depth) { reader throws(MissingWeight) in
                try SelfAttention(
                    names(layer + ".self"), attention, norm: layer + ".self.norm", norm,
                    keysSeeInput: configuration.keysSeeInput, .encoder, &reader)
            }
            let isLast = depth == configuration.encoderLayers - 1
            try list.append(.encoderFeedForward, depth: depth) { reader throws(MissingWeight) in
                try FeedForward(
                    feedForward(layer, configuration.encoderInnerWidth, configuration),
                    norm: layer + ".ffn.norm",
                    last: isLast && configuration.hasTopNorm ? "encoder.top" : nil, norm, .encoder, &reader)
            }
        }
    }

    private static func appendDecoder(
        _ configuration: MarianNativeConfiguration, to list: inout SublayerList
    ) throws(MissingWeight) {
        let norm = normalization(configuration)
        let attention = AttentionShape(width: configuration.width, heads: configuration.heads)
        for depth in 0..<configuration.decoderLayers {
            let layer = "decoder.l\(depth + 1)"
            if configuration.isRecurrent {
                try list.append(.decoderRecurrence, depth: depth) { reader throws(MissingWeight) in
                    try SimpleRecurrence(
                        layer + ".rnn", width: configuration.width, norm: layer + ".rnn.norm", norm, &reader)
                }
            } else {
                try list.append(.decoderSelfAttention, depth: depth) { reader throws(MissingWeight) in
                    try SelfAttention(
                        names(layer + ".self"), attention, norm: layer + ".self.norm", norm,
                        keysSeeInput: configuration.keysSeeInput, .decoder, &reader)
                }
            }
            try list.append(.decoderCrossAttention, depth: depth) { reader throws(MissingWeight) in
                try CrossAttention(
                    SublayerName(.decoderCrossAttention, depth: depth), names(layer + ".context"), attention,
                    norm: layer + ".context.norm", norm, &reader)
            }
            let isLast = depth == configuration.decoderLayers - 1
            try list.append(.decoderFeedForward, depth: depth) { reader throws(MissingWeight) in
                try FeedForward(
                    feedForward(layer, configuration.decoderInnerWidth, configuration),
                    norm: layer + ".ffn.norm",
                    last: isLast && configuration.hasTopNorm ? "decoder.top" : nil, norm, .decoder, &reader)
            }
        }
    }

    private static func feedForward(
        _ layer: String, _ innerWidth: Int, _ configuration: MarianNativeConfiguration
    ) -> FeedForward.Shape {
        FeedForward.Shape(
            inner: [layer + ".ffn.1"], outer: layer + ".ffn.2", width: configuration.width,
            innerWidth: innerWidth, activation: configuration.activation)
    }

    /// Shapes of published models and smaller ones.
    package static func specimens() throws -> [Specimen] {
        try [
            (32, 64, 4, 2, 1, 2000, "rnn"), (32, 64, 4, 1, 2, 2000, "self-attention"),
            (256, 1536, 8, 6, 2, 32000, "rnn"), (384, 1536, 8, 6, 4, 32000, "rnn"),
            (512, 2048, 8, 6, 2, 32000, "rnn"), (256, 1536, 8, 6, 2, 16000, "rnn"),
            (512, 2048, 8, 6, 6, 16000, "self-attention"), (128, 512, 8, 4, 4, 8000, "rnn"),
        ].map { (width, inner, heads, encoderLayers, decoderLayers, vocabulary, decoder) in
            let settings = Specimen.settings(
                modelType,
                [
                    "type": "transformer", "dim-emb": width, "dim-vocabs": [vocabulary, vocabulary],
                    "enc-depth": encoderLayers, "dec-depth": decoderLayers, "transformer-heads": heads,
                    "transformer-dim-ffn": inner, "transformer-ffn-activation": "relu",
                    "transformer-decoder-autoreg": decoder, "dec-cell": "ssru",
                    "tied-embeddings-all": true,
                ])
            return Specimen(
                modelType,
                try network(
                    try MarianNativeConfiguration(settings),
                    try TranslationSettings(nil, endToken: 0, unknownToken: 1)))
        }
    }
}
