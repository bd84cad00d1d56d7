import BitplanTensors

/// What config.json says of rotary positions: `rope_parameters` of newer models, `rope_theta` beside
/// `rope_scaling` of older ones.
///
/// - Source: `modeling_rope_utils.py` of Hugging Face transformers 5.24; for layers with windows of their own
///   frequencies `Gemma3TextConfig`.
struct RotarySettings: Sendable, Equatable {
    /// The base of the frequencies.
    let theta: Double
    /// How they are changed for longer texts.
    let scaling: RotaryPositions.Scaling

    private static let types = ["default", "linear", "dynamic", "llama3"]
    private static let (full, sliding) = ("full_attention", "sliding_attention")

    /// What layers have that see a whole text, and what those have that see a window.
    ///
    /// - Throws: `FileError` as `init`, and where newer files do not say it by the kind of layers.
    static func byLayer(
        _ settings: Settings, _ variant: LlamaVariant, maximumPositions: Int
    ) throws(FileError) -> (full: RotarySettings, windows: RotarySettings) {
        guard let windowTheta = variant.windowTheta else {
            let all = try RotarySettings(
                settings, usualTheta: variant.theta, maximumPositions: maximumPositions)
            return (all, all)
        }
        let key = "rope_parameters"
        var whole = settings.object
        whole[key] = nil
        var window: [String: Any] = [:]
        window["rope_theta"] = settings.object["rope_local_base_freq"]
        if let value = settings.any(key) {
            guard let kinds = value as? [String: Any], kinds.keys.allSatisfy([full, sliding].contains) else {
                throw FileError(settings.file, "'\(key)': expected an object of '\(full)' and '\(sliding)'")
            }
            whole[key] = kinds[full]
            window[key] = kinds[sliding]
        }
        func read(_ object: [String: Any], _ usual: Double) throws(FileError) -> RotarySettings {
            try RotarySettings(
                Settings(file: settings.file, object: object), usualTheta: usual,
                maximumPositions: maximumPositions)
        }
        return (try read(whole, variant.theta), try read(window, windowTheta))
    }

    /// Reads what is said for all layers.
    ///
    /// - Parameters:
    ///   - usualTheta: the base where none is given.
    ///   - maximumPositions: no text is longer.
    /// - Throws: `FileError` for another `rope_type`, and numbers that make no frequencies.
    private init(
        _ settings: Settings, usualTheta: Double, maximumPositions: Int
    ) throws(FileError) {
        var rotary = settings
        var scaling = RotaryPositions.Scaling.none
        for key in ["rope_parameters", "rope_scaling"] where settings.has(key) {
            guard let object = settings.any(key) as? [String: Any] else {
                throw FileError(settings.file, "'\(key)': expected an object")
            }
            if let nested = object.filter({ $0.value is [String: Any] }).keys.min() {
                throw FileError(
                    settings.file,
                    "'\(key)': '\(nested)' with rotary settings of its own is not supported: expected one rope_type and rope_theta for all layers"
                )
            }
            let parameters = Settings(file: settings.file, object: object)
            guard try parameters.number("partial_rotary_factor", or: 1) == 1 else {
                throw FileError(
                    settings.file, "'\(key)': a partial_rotary_factor other than 1 is not supported")
            }
            if parameters.has("rope_theta") { rotary = parameters }
            let read = try Self.scaling(parameters, key, maximumPositions: maximumPositions)
            if read != .none { scaling = read }
        }
        let theta = try rotary.number("rope_theta", or: usualTheta)
        guard theta > 0, theta.isFinite else {
            throw FileError(settings.file, "'rope_theta': expected a positive number, got \(theta)")
        }
        self.theta = theta
        self.scaling = scaling
    }

    private static func scaling(
        _ parameters: Settings, _ key: String, maximumPositions: Int
    ) throws(FileError) -> RotaryPositions.Scaling {
        let type = try parameters.text("rope_type", or: try parameters.text("type", or: "default"))
        func number(_ name: String, atLeast least: Double) throws(FileError) -> Double {
            let value = try parameters.number(name)
            guard value >= least, value.isFinite else {
                throw FileError(
                    parameters.file, "'\(key)': '\(name)': expected at least \(least), got \(value)")
            }
            return value
        }
        switch type {
        case "default": return .none
        case "linear": return .linear(factor: try number("factor", atLeast: 1))
        case "dynamic":
            // It changes frequencies only beyond max_position_embeddings, and no text is longer.
            _ = try number("factor", atLeast: 1)
            return .none
        case "llama3":
            let (low, high) = (
                try number("low_freq_factor", atLeast: 0x1p-10),
                try number("high_freq_factor", atLeast: 0x1p-10)
            )
            guard low < high else {
                throw FileError(
                    parameters.file,
                    "'\(key)': expected a high_freq_factor above the low_freq_factor \(low), got \(high)")
            }
            return .llama3(
                factor: try number("factor", atLeast: 1), lowFactor: low, highFactor: high,
                originalPositions: try parameters.size(
                    "original_max_position_embeddings", or: maximumPositions))
        default:
            throw FileError(
                parameters.file,
                "'\(key)': rope_type '\(type)' is not supported: expected one of \(types.joined(separator: ", "))"
            )
        }
    }
}
