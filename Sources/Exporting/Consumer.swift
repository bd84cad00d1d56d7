import PlanFormat

/// Another quantizer that a plan can be written for.
public enum Consumer: String, CaseIterable, Sendable {
    /// `llama-quantize --tensor-type-file`.
    case llamaCpp = "llama.cpp"
    /// GPTQModel's `QuantizeConfig`, `dynamic` rules included.
    case gptqmodel
    /// `OptimizationConfig.from_yaml` of coremltools.
    case coremltools
    /// `config.json` of MLX.
    case mlx
    /// `quantization_config` of compressed-tensors (vLLM, llm-compressor, transformers).
    case compressedTensors = "compressed-tensors"
    /// `layer_config` of auto-round.
    case autoRound = "auto-round"
    /// The arguments of `HqqConfig` of transformers.
    case hqq

    /// The `model_type`s that it can take: those that it has names for, else all whose tensors have
    /// transformers' names.
    package var modelTypes: [String] {
        switch self {
        case .llamaCpp: LlamaCpp.encoders + Self.decoders + Self.gemmas
        case .gptqmodel: Self.decoders
        case .mlx: Self.decoders + Self.gemmas
        case .coremltools, .compressedTensors, .autoRound, .hqq:
            ["bert", "distilbert", "electra"] + Self.gemmas + Self.decoders
                + ["m2m_100", "marian", "mbart", "roberta", "t5", "xlm-roberta"]
        }
    }

    /// Models of the Llama layout.
    private static let decoders = ["llama", "mistral", "qwen2", "qwen3", "smollm3"]
    private static let gemmas = ["gemma2", "gemma3_text"]
}

/// A plan in another quantizer's own format.
public struct PlanExport: Hashable, Sendable {
    /// The file.
    public let text: String
    /// What the file makes of every matrix, in order of execution, as the consumer's rules resolve.
    public let settings: [TensorSetting]
    /// What was mapped to something else than the plan says, one line each; empty where everything is as the
    /// plan says.
    public let notes: [String]

    /// What becomes of a matrix.
    public struct TensorSetting: Hashable, Sendable {
        /// The matrix, as the checkpoint names it.
        public let tensor: String
        /// The name that the consumer knows it by.
        public let name: String
        /// The consumer's own words: `q4_0`, `4 bits, groups of 64`...
        public let setting: String
    }
}

extension Plan {
    /// The plan in the format of `consumer`.
    ///
    /// - Parameters:
    ///   - layout: the sublayers and matrices of the model.
    ///   - nearest: maps a scheme that the consumer does not have to the one with the fewest bits that are
    ///     not fewer, instead of an error.
    /// - Throws: `ExportError` where the consumer does not know the model or cannot express what the plan
    ///   says; `PlanError` as an `ExportError.plan` where the plan does not fit the layout.
    package func export(_ layout: ModelLayout, to consumer: Consumer, nearest: Bool = false)
        throws(ExportError) -> PlanExport
    {
        guard consumer.modelTypes.contains(model.type) else {
            throw .unknownModel(consumer, model.type, known: consumer.modelTypes)
        }
        var matrices = try PlannedMatrix.list(self, layout)
        if consumer == .llamaCpp {
            // Encoders alone: positions stay as they are, and there is no place for a head.
            matrices = try LlamaCpp.checked(matrices, modelType: model.type)
        }
        return switch consumer {
        case .llamaCpp: try LlamaCpp.export(matrices, nearest: nearest)
        case .gptqmodel: try GPTQModel.export(matrices, nearest: nearest)
        case .coremltools: try CoreMLTools.export(matrices, nearest: nearest)
        case .mlx: try MLX.export(matrices, nearest: nearest)
        case .compressedTensors: try CompressedTensors.export(matrices, nearest: nearest)
        case .autoRound: try AutoRound.export(matrices, nearest: nearest)
        case .hqq: try HQQ.export(matrices, nearest: nearest)
        }
    }
}
