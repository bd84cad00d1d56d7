import BitplanTensors
import Foundation

/// What sentence-transformers says of a model directory: `modules.json`, the pooling module's `config.json`
/// and `sentence_bert_config.json`.
struct SentenceEncoderFiles {
    /// Nil where the directory has no `modules.json`.
    let task: BertConfiguration.Task?
    /// `max_seq_length`, where it is given.
    let maximumLength: Int?
    /// `do_lower_case`.
    let lowercasesTexts: Bool

    /// Where the modules lie, by the last part of their type's name: only there do stores and packed models
    /// look for their files.
    private static let places = ["Transformer": "", "Pooling": "1_Pooling"]

    /// Reads what is there.
    ///
    /// - Throws: `FileError` for a module or pooling that is not supported, or lies elsewhere than
    ///   sentence-transformers puts it, by its name.
    init(_ directory: URL) throws(FileError) {
        let lengths = directory.appending(path: "sentence_bert_config.json")
        if FileManager.default.fileExists(atPath: lengths.path) {
            let settings = try Settings(lengths)
            try settings.check(BertSettings.transformer)
            try Self.checkOutput(settings)
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
        try Settings.check(
            directory.appending(path: "config_sentence_transformers.json"), BertSettings.sentenceEncoder)
        let json = try? JSONSerialization.jsonObject(with: try FileError.read(file))
        guard let modules = json as? [[String: Any]] else {
            throw FileError(file, "expected an array of modules")
        }
        var pooling: Pooling?
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
            case "Normalize":
                try Settings.check(
                    directory.appending(path: path).appending(path: "config.json"), BertSettings.normalize)
                isNormalized = true
            default:
                throw FileError(
                    file, "module '\(type)' is not supported: expected Transformer, Pooling or Normalize")
            }
        }
        task = .embedding(pooling: pooling ?? .mean, isNormalized: isNormalized)
    }

    /// Refuses another output of the network than the states of all tokens.
    private static func checkOutput(_ settings: Settings) throws(FileError) {
        guard let value = settings.any("modality_config") else { return }
        guard let modalities = value as? [String: Any], let text = modalities["text"] as? [String: Any] else {
            throw FileError(settings.file, "'modality_config': expected an object that has 'text'")
        }
        let output = try Settings(file: settings.file, object: text)
            .text("method_output_name", or: "last_hidden_state")
        guard output == "last_hidden_state" else {
            throw FileError(
                settings.file,
                "'modality_config': method_output_name '\(output)' is not supported: expected 'last_hidden_state'"
            )
        }
    }

    /// The flags of sentence-transformers before 5.4, by what `pooling_mode` calls them today.
    private static let olderModes = [
        ("pooling_mode_cls_token", "cls"), ("pooling_mode_max_tokens", "max"),
        ("pooling_mode_mean_tokens", "mean"), ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("pooling_mode_weightedmean_tokens", "weightedmean"), ("pooling_mode_lasttoken", "lasttoken"),
    ]

    /// `pooling_mode`, a name or a list of one; where it is missing, the flag that older versions set; the
    /// mean where neither is there.
    private static func pooling(_ settings: Settings) throws(FileError) -> Pooling {
        var modes: [(key: String, name: String)] = []
        if let value = settings.any("pooling_mode") {
            guard let names = value as? [String] ?? (value as? String).map({ [$0] }), !names.isEmpty else {
                throw FileError(settings.file, "'pooling_mode': expected a name or a list of names")
            }
            modes = names.map { ("pooling_mode", $0) }
        } else {
            for (key, name) in olderModes where try settings.flag(key, or: false) {
                modes.append((key, name))
            }
            if modes.isEmpty { return .mean }
        }
        guard modes.count == 1 else {
            throw FileError(
                settings.file,
                "'pooling_mode': expected one of mean and cls, got \(modes.map(\.name).joined(separator: ", "))"
            )
        }
        switch modes[0].name {
        case "mean": return .mean
        case "cls": return .first
        default:
            throw FileError(
                settings.file, "'\(modes[0].key)': '\(modes[0].name)' is not supported: expected mean or cls")
        }
    }
}
