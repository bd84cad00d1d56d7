import Foundation
import Kernels
import PlanFormat
import Tensors
import Tokenizers

extension MarianNetwork {
    /// Names under which published checkpoints store the tied embedding.
    static let embeddingAliases = [
        embeddingName, "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight",
    ]

    /// Reads the vectors that stay FP32.
    ///
    /// - Throws: `FileError` where one is missing, of another length, or not finite.
    public static func vectors(
        _ configuration: MarianConfiguration, from checkpoint: some Checkpoint
    ) throws(FileError) -> [String: [Float]] {
        var vectors: [String: [Float]] = [:]
        for (name, count) in Self.vectors(configuration) {
            let isRow = checkpoint.shapes[name]?.count == 2
            vectors[name] = try checkpoint.floats(name, shape: isRow ? [1, count] : [count])
        }
        return vectors
    }
}
