import BitplanTensors
import Foundation
import PlanFormat

/// Families whose layers and tensors are called as BART's.
package protocol BartFamily: ModelFamily where Net == EncoderDecoderNetwork {
    /// What the family does its own way.
    static var variant: BartVariant { get }
    /// The model's shape and how it generates.
    var configuration: BartConfiguration { get }
}

private let embeddingName = "model.shared.weight"
private let sourceEmbeddingName = "model.encoder.embed_tokens.weight"
private let targetEmbeddingName = "model.decoder.embed_tokens.weight"
private let outputName = "lm_head.weight"
private let outputBiasName = "final_logits_bias"

extension BartFamily {
    /// As the variant has it.
    package static var modelType: String { variant.modelType }

    /// The names that an embedding has in published checkpoints, where it is more than one thing.
    package func aliases(of tensor: String) -> [String] {
        let tied = configuration.tiesOutput ? [outputName] : []
        return switch tensor {
        case embeddingName: [sourceEmbeddingName, targetEmbeddingName] + tied
        case targetEmbeddingName: tied
        default: []
        }
    }

    /// The network of this shape.
    ///
    /// - Source: Vaswani et al. 2017; Liu et al. 2020 (mBART) for norms before the sublayers; Chung et al.
    ///   2020 for the names of the sublayers.
    package static func network(
        _ configuration: BartConfiguration, _ weights: WeightTable? = nil
    ) throws(MissingWeight) -> EncoderDecoderNetwork {
        try EncoderDecoderNetwork(
            weights, generation: configuration.generation, maximumPositions: configuration.maximumPositions
        ) { weights throws(MissingWeight) in
            var list = SublayerList(weights)
            let ends = try list.append(.embedding) { reader throws(MissingWeight) in
                try TranslationEmbeddings(configuration.embeddings, &reader)
            }
            try configuration.appendEncoder(to: &list)
            try configuration.appendDecoder(to: &list)
            return EncoderDecoderNetwork.Parts(
                sublayers: list, source: ends.source, target: ends.target, output: ends.output)
        }
    }
}

extension BartConfiguration {
    private static var normEpsilon: Float { 1e-5 }

    private var normalization: Normalization {
        variant.normalizesBefore
            ? .pre(width: width, epsilon: Self.normEpsilon) : .post(width: width, epsilon: Self.normEpsilon)
    }

    private var sinusoids: Sinusoids? {
        switch variant.positions {
        case .sinusoids: Sinusoids(width: width)
        case .sinusoidsBehindPadding: Sinusoids(spreadOver: width, offset: generation.padToken + 1)
        case .learned: nil
        }
    }

    fileprivate var embeddings: TranslationEmbeddings.Shape {
        TranslationEmbeddings.Shape(
            source: sharesEmbedding ? embeddingName : sourceEmbeddingName,
            sourceRows: sourceVocabularySize,
            target: sharesEmbedding ? nil : targetEmbeddingName,
            targetRows: targetVocabularySize, output: tiesOutput ? nil : outputName,
            outputBias: variant.hasOutputBias ? outputBiasName : nil, width: width,
            scale: scalesEmbeddings ? Float(width).squareRoot() : 1, positions: sinusoids)
    }

    /// Learned positions of a stack, where the variant has them.
    private func appendPositions(
        _ kind: SublayerKind, _ stack: Stack, _ name: String, to list: inout SublayerList
    ) throws(MissingWeight) {
        guard variant.positions == .learned else { return }
        try list.append(kind) { reader throws(MissingWeight) in
            try PositionEmbedding(
                positions: name + ".embed_positions.weight",
                count: maximumPositions + BartVariant.learnedOffset, offset: BartVariant.learnedOffset,
                norm: name + ".layernorm_embedding", normalization, stack, &reader)
        }
    }

    private func feedForward(_ layer: String, _ innerWidth: Int) -> FeedForward.Shape {
        FeedForward.Shape(
            inner: [layer + ".fc1"], outer: layer + ".fc2", width: width, innerWidth: innerWidth,
            activation: activation)
    }

    fileprivate func appendEncoder(to list: inout SublayerList) throws(MissingWeight) {
        let stack = "model.encoder"
        try appendPositions(.encoderPositions, .encoder, stack, to: &list)
        for depth in 0..<encoderLayers {
            let layer = "\(stack).layers.\(depth)"
            try list.append(.encoderSelfAttention, depth: depth) { reader throws(MissingWeight) in
                try SelfAttention(
                    AttentionNames(layer + ".self_attn"), AttentionShape(width: width, heads: encoderHeads),
                    norm: layer + ".self_attn_layer_norm", normalization, .encoder, &reader)
            }
            let isLast = depth == encoderLayers - 1
            try list.append(.encoderFeedForward, depth: depth) { reader throws(MissingWeight) in
                try FeedForward(
                    feedForward(layer, encoderInnerWidth), norm: layer + ".final_layer_norm",
                    last: isLast && variant.normalizesBefore ? stack + ".layer_norm" : nil, normalization,
                    .encoder, &reader)
            }
        }
    }

    fileprivate func appendDecoder(to list: inout SublayerList) throws(MissingWeight) {
        let stack = "model.decoder"
        let shape = AttentionShape(width: width, heads: decoderHeads)
        try appendPositions(.decoderPositions, .decoder, stack, to: &list)
        for depth in 0..<decoderLayers {
            let layer = "\(stack).layers.\(depth)"
            try list.append(.decoderSelfAttention, depth: depth) { reader throws(MissingWeight) in
                try SelfAttention(
                    AttentionNames(layer + ".self_attn"), shape, norm: layer + ".self_attn_layer_norm",
                    normalization, .decoder, &reader)
            }
            try list.append(.decoderCrossAttention, depth: depth) { reader throws(MissingWeight) in
                try CrossAttention(
                    SublayerName(.decoderCrossAttention, depth: depth),
                    AttentionNames(layer + ".encoder_attn"), shape,
                    norm: layer + ".encoder_attn_layer_norm", normalization, &reader)
            }
            let isLast = depth == decoderLayers - 1
            try list.append(.decoderFeedForward, depth: depth) { reader throws(MissingWeight) in
                try FeedForward(
                    feedForward(layer, decoderInnerWidth), norm: layer + ".final_layer_norm",
                    last: isLast && variant.normalizesBefore ? stack + ".layer_norm" : nil, normalization,
                    .decoder, &reader)
            }
        }
    }
}
