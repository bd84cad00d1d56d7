import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// Translation models in Marian's own format, as Bergamot, Firefox and Marian itself have them: `*.bin` or
/// `*.npz` with the network's settings inside, and SentencePiece vocabularies beside.
package struct MarianNativeFamily: ModelFamily {
    /// `marian-native`; `marian` are the models that were converted for transformers.
    package static let modelType = "marian-native"
    /// What people publish.
    package static let published = [
        PublishedModels(
            modelType,
            checkpoints: "Firefox Translations and Bergamot: *.bin and *.npz with vocabularies beside",
            tasks: "translation", lacks: "factored vocabularies, guided alignments, ensembles")
    ]

    /// The vocabularies, and how the model decodes.
    package let companionFiles: [String]
    /// The model's shape.
    package let configuration: MarianNativeConfiguration
    /// The tokenizers of both sides.
    package let tokenizer: SentencePieceTokenizers
    /// The network without weights.
    package let outline: EncoderDecoderNetwork

    /// Reads settings and vocabularies; `FileError` or `TokenizerError` for what is missing, unsupported, or
    /// fits not together.
    package init(directory place: URL) throws {
        let settings = try modelSettings(of: place)
        configuration = try MarianNativeConfiguration(settings)
        let files = try MarianFiles(directory: MarianFiles.directory(of: place))
        let vocabularies = try files.vocabularies()
        tokenizer = try SentencePieceTokenizers(source: vocabularies.source, target: vocabularies.target)
        for (tokenizer, file, size) in [
            (tokenizer.source, vocabularies.source, configuration.sourceVocabularySize),
            (tokenizer.target, vocabularies.target, configuration.targetVocabularySize),
        ] where tokenizer.vocabularySize != size {
            throw FileError(
                file, "has \(tokenizer.vocabularySize) pieces, the model's dim-vocabs say \(size)")
        }
        companionFiles =
            Set([vocabularies.source, vocabularies.target].map(\.lastPathComponent)).sorted()
            + ["config.yml"]
        outline = try Self.network(
            configuration,
            try TranslationSettings(
                files.decoding, endToken: SentencePieceTokenizer.endID,
                unknownToken: SentencePieceTokenizer.unknownID))
        if MarianFiles.mayHoldModel(place) { try checkTensors(try MarianCheckpoint(at: place)) }
    }

    /// Refuses a file with a tensor that the network has not: what it does there is not known.
    private func checkTensors(_ checkpoint: MarianCheckpoint) throws(FileError) {
        let own = layout.sublayers.flatMap(\.matrices).map(\.tensor) + vectors.map(\.name)
        let known = Set(own.flatMap(aliases))
        if let name = checkpoint.shapes.keys.sorted().first(where: { !known.contains($0) }) {
            throw FileError(
                checkpoint.file, "tensor '\(name)' is none of the network that the file's settings describe")
        }
    }

    /// Translation.
    package var task: any Task<EncoderDecoderNetwork> {
        Translation(
            tokenizer: tokenizer, maximumPositions: TranslationSettings.unlimited,
            shortlistedVocabularies: (
                configuration.sourceVocabularySize, configuration.targetVocabularySize
            ))
    }

    /// What Marian calls a tensor: `encoder_l1_self_Wq` for `encoder.l1.self.q.weight`, `encoder_l1_self_bq`
    /// for its bias, `encoder_l1_self_Wo_ln_scale` for `encoder.l1.self.norm.weight`.
    package func aliases(of tensor: String) -> [String] {
        var words = tensor.split(separator: ".").map(String.init)
        guard let part = words.popLast(), let name = words.popLast() else { return [] }
        let isWeight = part == "weight"
        let stem = words.joined(separator: "_")
        switch name {
        case "embedding": return [stem.isEmpty ? "Wemb" : stem + "_Wemb"]
        case "output":
            return isWeight
                ? ["decoder_ff_logit_out_Wt", "decoder_ff_logit_out_W"] : ["decoder_ff_logit_out_b"]
        case "top": return ["\(stem)_top_ln_\(isWeight ? "scale" : "bias")"]
        case "norm":
            let block: String
            switch words.last {
            case "ffn": block = "_ffn"
            case "rnn": block = configuration.normalizesBefore ? "" : "_ffn"
            default: block = "_Wo"
            }
            return [
                "\(stem)\(block)_ln_\(isWeight ? "scale" : "bias")"
                    + (configuration.normalizesBefore ? "_pre" : "")
            ]
        case "candidate": return [stem + "_W"]
        case "forget": return [stem + (isWeight ? "_Wf" : "_bf")]
        default: return ["\(stem)_\(isWeight ? "W" : "b")\(name)"]
        }
    }
}
