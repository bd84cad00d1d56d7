import BitplanTensors

/// What config.json says of single layers: which see a window, and which turn nothing by positions.
///
/// - Source: `Qwen2Config`, `MistralConfig` and `SmolLM3Config` of Hugging Face transformers 5.24.
enum LayerSettings {
    /// By layer, whether queries and keys are turned by their positions: `no_rope_layers`, which has 1 for
    /// those that are; where it is not given, all but every `no_rope_layer_interval`-th.
    static func positions(
        _ settings: Settings, _ variant: LlamaVariant, layers: Int
    ) throws(FileError) -> [Bool] {
        guard variant.hasLayersWithoutPositions else { return [Bool](repeating: true, count: layers) }
        guard let value = settings.any("no_rope_layers") else {
            let interval = try settings.size("no_rope_layer_interval", or: 4)
            return (1...layers).map { $0 % interval != 0 }
        }
        guard let list = value as? [Int], list.count >= layers, list.allSatisfy({ (0...1).contains($0) })
        else {
            throw FileError(settings.file, "'no_rope_layers': expected a 0 or 1 for each of \(layers) layers")
        }
        return list.prefix(layers).map { $0 == 1 }
    }

    /// By layer, how many tokens a token sees; nil where it sees all before it.
    static func windows(
        _ settings: Settings, _ variant: LlamaVariant, hasPositions: [Bool]
    ) throws(FileError) -> [Int?] {
        let layers = hasPositions.count
        let none = [Int?](repeating: nil, count: layers)
        switch variant.windows {
        case .none: return none
        case .all(let usual):
            guard let window = try window(settings, usual: usual) else { return none }
            return [Int?](repeating: window, count: layers)
        case .byLayer(let usual, let firstLayer):
            let first = try settings.integer("max_window_layers", or: firstLayer)
            let isUsed = try settings.flag("use_sliding_window", or: false)
            let given = try window(settings, usual: usual)
            let window = isUsed ? given : nil
            let types = try self.types(settings, layers: layers)
            return try hasPositions.enumerated().map { layer, hasPositions throws(FileError) in
                guard let types else {
                    return (variant.hasLayersWithoutPositions ? !hasPositions : layer >= first) ? window : nil
                }
                guard types[layer] == sliding else { return nil }
                guard let window else {
                    throw FileError(
                        settings.file,
                        "'layer_types': layer \(layer) is '\(sliding)', but there is no sliding_window in use"
                    )
                }
                return window
            }
        }
    }

    private static let sliding = "sliding_attention"

    /// `sliding_window`: nil where it is null.
    private static func window(_ settings: Settings, usual: Int?) throws(FileError) -> Int? {
        if settings.has("sliding_window") { return try settings.size("sliding_window") }
        return settings.object["sliding_window"] == nil ? usual : nil
    }

    private static func types(_ settings: Settings, layers: Int) throws(FileError) -> [String]? {
        guard let value = settings.any("layer_types") else { return nil }
        guard let types = value as? [String], types.count == layers,
            types.allSatisfy({ [sliding, "full_attention"].contains($0) })
        else {
            throw FileError(
                settings.file,
                "'layer_types': expected '\(sliding)' or 'full_attention' for each of \(layers) layers")
        }
        return types
    }
}
