import BitplanTensors

/// What config.json says of single layers: which see a window, and which turn nothing by positions.
///
/// - Source: `Qwen2Config`, `MistralConfig`, `SmolLM3Config`, `Gemma2Config` and `Gemma3TextConfig` of
///   Hugging Face transformers 5.24.
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
            guard let types else {
                return hasPositions.enumerated().map { layer, hasPositions in
                    (variant.hasLayersWithoutPositions ? !hasPositions : layer >= first) ? window : nil
                }
            }
            return try windows(settings, types, window)
        case .allBut(let usualPeriod, let usual):
            let period =
                variant.rules["sliding_window_pattern"] == .read
                ? try settings.count("sliding_window_pattern", or: usualPeriod) : usualPeriod
            let types =
                try types(settings, layers: layers) ?? (1...layers).map { $0 % period == 0 ? full : sliding }
            return try windows(settings, types, try window(settings, usual: usual))
        }
    }

    /// The window in the layers whose type says so.
    private static func windows(
        _ settings: Settings, _ types: [String], _ window: Int?
    ) throws(FileError) -> [Int?] {
        if window == nil, let layer = types.firstIndex(of: sliding) {
            throw FileError(
                settings.file,
                "'layer_types': layer \(layer) is '\(sliding)', but there is no sliding_window in use")
        }
        return types.map { $0 == sliding ? window : nil }
    }

    private static let (full, sliding) = ("full_attention", "sliding_attention")

    /// `sliding_window`: nil where it is null.
    private static func window(_ settings: Settings, usual: Int?) throws(FileError) -> Int? {
        if settings.has("sliding_window") { return try settings.size("sliding_window") }
        return settings.object["sliding_window"] == nil ? usual : nil
    }

    private static func types(_ settings: Settings, layers: Int) throws(FileError) -> [String]? {
        guard let value = settings.any("layer_types") else { return nil }
        guard let types = value as? [String], types.count == layers,
            types.allSatisfy({ [sliding, full].contains($0) })
        else {
            throw FileError(
                settings.file,
                "'layer_types': expected '\(sliding)' or '\(full)' for each of \(layers) layers")
        }
        return types
    }
}
