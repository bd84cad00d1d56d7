import BitplanTensors
import Foundation

/// What the family does with every key of Marian's settings: `special:model.yml` in the weights, which
/// describes the network, and `config.yml` beside them, which says how it decodes.
///
/// - Source: the options of `addOptionsModel` and `addOptionsTranslation` in `src/common/config_parser.cpp`
///   of marian-nmt/marian-dev 1.12, and those that browsermt/marian-dev and bergamot-translator add.
package enum MarianNativeSettings {
    package static let model: SettingRules = SettingRules().adding(
        read: [
            "dec-cell", "dec-depth", "dim-emb", "dim-vocabs", "enc-depth", "output-omit-bias",
            "tied-embeddings", "tied-embeddings-all", "tied-embeddings-src",
            "transformer-decoder-autoreg", "transformer-decoder-dim-ffn", "transformer-dim-ffn",
            "transformer-ffn-activation", "transformer-heads", "transformer-postprocess",
            "transformer-postprocess-emb", "transformer-postprocess-top", "transformer-preprocess", "version",
        ],
        harmless: [
            // Of other types of models: recurrent ones, averaging attention, BERT, COMET, characters.
            "bert-class-symbol", "bert-mask-symbol", "bert-masking-fraction", "bert-sep-symbol",
            "bert-train-type-embeddings", "bert-type-vocab-size", "char-conv-filters-num",
            "char-conv-filters-widths", "char-highway", "char-stride", "comet-augment-bad", "comet-dropout",
            "comet-final-sigmoid", "comet-mix", "comet-mix-norm", "comet-mix-transformation", "comet-mixup",
            "comet-mixup-reg", "comet-pool", "comet-pooler-ffn", "comet-prepend-zero", "comet-stop-grad",
            "comet-use-separator", "dec-cell-base-depth", "dec-cell-high-depth", "dim-rnn", "enc-cell",
            "enc-cell-depth", "enc-type", "transformer-aan-activation", "transformer-aan-depth",
            "transformer-aan-nogate", "transformer-dim-aan",
            // Of factors, which a model without them has defaults of.
            "factors-combine", "factors-dim-emb", "lemma-dependency", "ulr-dim-emb",
            // Of training.
            "separator-symbol", "transformer-depth-scaling", "transformer-guided-alignment-layer",
        ],
        refused: [
            "alibi": [false], "best-deep": [false], "input-join-fields": [false], "input-reorder": [],
            "input-types": [], "layer-normalization": [false], "lemma-dim-emb": [0], "right-left": [false],
            "skip": [false], "transformer-alibi-shift": [false], "transformer-alibi-trainable": [false],
            "transformer-attention-mask": ["default"], "transformer-decoder-ffn-depth": [0, 2],
            "transformer-disable-position-embeddings": [false], "transformer-ffn-depth": [2],
            "transformer-no-affine": [false], "transformer-no-bias": [false],
            "transformer-no-projection": [false], "transformer-pool": [false],
            "transformer-rnn-projection": [false], "transformer-tied-layers": [],
            "transformer-train-position-embeddings": [false], "transformer-train-positions": [false],
            "type": ["transformer"], "ulr": [false], "ulr-trainable-transformation": [false],
        ])

    package static let decoding: SettingRules = SettingRules().adding(
        read: [
            "allow-unk", "beam-size", "max-length-break", "max-length-factor", "models", "normalize",
            "vocabs",
            "word-penalty",
        ],
        harmless: [
            // Where and how fast a translation is made: options of the command decide.
            "alignment", "bergamot-mode", "cache-size", "cpu-threads", "gemm-precision", "int8shift",
            "check-nan", "clip-gemm", "cuda-sparse", "data-threads", "devices", "dim-vocabs",
            "dump-quantmult", "fp16", "input", "int16", "int8", "int8Alpha", "int8shiftAll",
            "int8shiftAlpha", "int8shiftAlphaAll", "interpolate-env-vars", "log", "log-level",
            "log-time-zone", "maxi-batch", "maxi-batch-sort", "mini-batch", "mini-batch-words",
            "model-mmap", "no-nccl", "num-devices", "optimize", "output", "port", "precision", "quiet",
            "quiet-translation", "relative-paths", "seed", "shortlist", "sigterm", "skip-cost", "stat-freq",
            "tempdir", "version", "workspace",
            // A line is a sentence here, and one that is too long is translated in parts.
            "max-length",
            "ssplit-mode", "ssplit-prefix-file",
        ],
        refused: [
            "allow-special": [false], "max-length-crop": [false], "scorers": [], "tsv": [false],
            "word-scores": [false], "force-decode": [false], "n-best": [false], "no-spm-decode": [false],
            "no-spm-encode": [false], "output-approx-knn": [], "output-sampling": [], "weights": [],
        ])

    /// Refuses what the settings ask for and the family has not, keys that are not known included, unless
    /// they ask for nothing: Marian knows no keys of people's own.
    ///
    /// - Parameter own: keys that are ours, beside Marian's.
    static func check(
        _ settings: Settings, _ rules: SettingRules, own: [String] = []
    ) throws(FileError) {
        try settings.check(rules)
        for key in settings.keys where rules[key] == nil && !own.contains(key) {
            guard let value = settings.any(key) else { continue }
            switch SettingRule.Value(value) {
            case .flag(false), .number(0), .text(""): continue
            case nil where (value as? [Any])?.isEmpty == true: continue
            case let scalar:
                throw FileError(
                    settings.file, "'\(key)': \(scalar.map { "\($0)" } ?? "a list") is not supported")
            }
        }
    }
}
