import BitplanTensors
import Foundation

/// The shape of a T5 model and how it generates, read from `config.json` and `generation_config.json`.
package struct T5Configuration: Sendable, Equatable {
    /// `d_model`.
    package let width: Int
    /// `vocab_size`.
    package let vocabularySize: Int
    /// `num_layers`.
    package let encoderLayers: Int
    /// `num_decoder_layers`, `num_layers` where nothing is said.
    package let decoderLayers: Int
    /// `num_heads`.
    package let heads: Int
    /// `d_kv`: channels of a head.
    package let headSize: Int
    /// `d_ff`.
    package let innerWidth: Int
    /// `relative_attention_num_buckets`.
    package let buckets: Int
    /// `relative_attention_max_distance`.
    package let maximumDistance: Int
    /// `layer_norm_epsilon`.
    package let normEpsilon: Float
    /// The function of `feed_forward_proj`.
    package let activation: ActivationFunction
    /// Whether the feed-forward has a gate: `feed_forward_proj` is `gated-...`.
    package let isGated: Bool
    /// Whether the embedding scores tokens too, of states divided by the root of the width; else the output
    /// projection is a matrix of its own (T5 v1.1), and states are scored as they are.
    package let tiesOutput: Bool
    /// How the model generates.
    package let generation: TranslationSettings

    /// Reads the configuration of a model directory.
    ///
    /// - Throws: `FileError` where a file is missing, a key has the wrong type or a value that bitplan does
    ///   not support.
    package init(directory: URL) throws(FileError) {
        let settings = try Settings(directory.appending(path: "config.json"))
        try self.init(
            settings, generation: try TranslationSettings.settings(in: directory, or: settings))
        _ = try settings.architecture(["T5ForConditionalGeneration"])
    }

    /// Reads the configuration from its settings; errors as `init(directory:)`.
    package init(_ settings: Settings, generation: Settings) throws(FileError) {
        let type = try settings.text("model_type")
        guard type == T5Family.modelType else {
            throw FileError(
                settings.file, "model_type '\(type)' is not supported here: expected '\(T5Family.modelType)'")
        }
        try settings.check(T5Settings.model)
        width = try settings.size("d_model")
        vocabularySize = try settings.size("vocab_size")
        encoderLayers = try settings.count("num_layers")
        decoderLayers = try settings.count("num_decoder_layers", or: encoderLayers)
        heads = try settings.size("num_heads")
        headSize = try settings.size("d_kv")
        innerWidth = try settings.size("d_ff")
        buckets = try settings.size("relative_attention_num_buckets", or: 32)
        maximumDistance = try settings.size("relative_attention_max_distance", or: 128)
        guard buckets >= 4, buckets % 4 == 0, buckets <= 1 << 12 else {
            throw FileError(
                settings.file,
                "'relative_attention_num_buckets': expected a multiple of 4 up to 4096, got \(buckets)")
        }
        guard maximumDistance > buckets / 2, maximumDistance <= 1 << 20 else {
            throw FileError(
                settings.file,
                "'relative_attention_max_distance': expected more than \(buckets / 2), half of the buckets, up to 1048576, got \(maximumDistance)"
            )
        }
        normEpsilon = Float(try settings.number("layer_norm_epsilon", or: 1e-6))
        let projection = try settings.text("feed_forward_proj", or: "relu")
        isGated = projection.hasPrefix("gated-")
        let function = isGated ? String(projection.dropFirst(6)) : projection
        // The reference has the approximated GELU under this name.
        let name = projection == "gated-gelu" ? ActivationFunction.geluNew.rawValue : function
        guard let activation = ActivationFunction(rawValue: name) else {
            throw FileError(settings.file, "'feed_forward_proj': '\(projection)' is not supported")
        }
        self.activation = activation
        // Newer versions of the reference write the second key, and true for the first in any case.
        let (ties, scales) = (
            try settings.flag("tie_word_embeddings", or: true),
            try settings.flag("scale_decoder_outputs", or: true)
        )
        tiesOutput = ties && scales
        self.generation = try TranslationSettings(
            settings, generation, MarianSettings.generation, vocabularySize: vocabularySize,
            positions: TranslationSettings.unlimited)
    }
}
