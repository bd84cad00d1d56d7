import BitplanTensors
import Foundation

/// What sentence-transformers says of a model directory: `modules.json`, the pooling module's `config.json` and
/// `sentence_bert_config.json`.
struct SentenceEncoderFiles {
    /// Nil where the directory has no `modules.json`.
    let task: BertConfiguration.Task?
    /// `max_seq_length`, where it is given.
    let maximumLength: Int?
    /// `do_lower_case`.
    let lowercasesTexts: Bool

    /// Where the modules lie, by the last part of their type's name: only there do stores and packed models look for their files.
    private static let places = ["Transformer": "", "Pooling": "1_Pooling"]

    /// Reads what is there.
    ///
    /// - Throws: `FileError` for a module or pooling that is not supported, or lies elsewhere than sentence-transformers puts it, by its
    ///   name.
    init(_ directory: URL) throws(FileError) {
        let lengths = directory.appending(path: "sentence_bert_config.json")
        if FileManager.default.fileExists(atPath: lengths.path) {
            let settings = try Settings(lengths)
            maximumLength = settings.has("max_seq_length") ? try settings.size("max_seq_length") : nil
            lowercasesTexts = try settings.flag("do_lower_case", or: false)
        } else {
            maximumLength = nil
            lowercasesTexts = false
        }
        let file = directory.appending(path: "modules.json")
        guard FileManager.default.fileExists(atPath: file.path) else {
            task = nil
            return
        }
        let json = try? JSONSerialization.jsonObject(with: try FileError.read(file))
        guard let modules = json as? [[String: Any]] else {
            throw FileError(file, "expected an array of modules")
        }
        var pooling: BertConfiguration.Pooling?
        var isNormalized = false
        for module in modules {
            let type = module["type"] as? String ?? ""
            let kind = type.split(separator: ".").last.map(String.init) ?? ""
            let path = module["path"] as? String ?? ""
            if let place = Self.places[kind], path != place {
                throw FileError(
                    file, "module '\(type)' at the path '\(path)' is not supported: expected '\(place)'")
            }
            switch kind {
            case "Transformer": break
            case "Pooling":
                pooling = try Self.pooling(
                    try Settings(directory.appending(path: path).appending(path: "config.json")))
            case "Normalize": isNormalized = true
            default:
                throw FileError(
                    file, "module '\(type)' is not supported: expected Transformer, Pooling or Normalize")
            }
        }
        task = .embedding(pooling: pooling ?? .mean, isNormalized: isNormalized)
    }

    private static func pooling(_ settings: Settings) throws(FileError) -> BertConfiguration.Pooling {
        if let mode = settings.any("pooling_mode") {
            throw FileError(
                settings.file,
                "'pooling_mode': '\(mode)' is not supported: expected pooling_mode_mean_tokens or pooling_mode_cls_token"
            )
        }
        var poolings: [BertConfiguration.Pooling] = []
        if try settings.flag("pooling_mode_mean_tokens", or: false) { poolings.append(.mean) }
        if try settings.flag("pooling_mode_cls_token", or: false) { poolings.append(.first) }
        for key in [
            "pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
            "pooling_mode_weightedmean_tokens",
            "pooling_mode_lasttoken",
        ] where try settings.flag(key, or: false) {
            throw FileError(settings.file, "'\(key)' is not supported: expected the mean or the first token")
        }
        guard poolings.count == 1 else {
            throw FileError(
                settings.file,
                "expected one pooling, pooling_mode_mean_tokens or pooling_mode_cls_token, got \(poolings.count)"
            )
        }
        return poolings[0]
    }
}
