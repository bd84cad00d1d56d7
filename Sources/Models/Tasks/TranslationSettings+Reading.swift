import BitplanTensors
import Foundation

extension TranslationSettings {
    /// Reads generation settings; the padding, end and start tokens that `generation` does not give come from
    /// the model's own settings.
    ///
    /// The longest sequence is `max_new_tokens` behind the start symbol, else `max_length` with it; where
    /// neither is given, 20 new tokens.
    /// - Parameters:
    ///   - rules: what is done with the keys of generation settings.
    ///   - startToken: what targets start from where nothing is said; the padding token where nil.
    /// - Source: `_prepare_generated_length` of Hugging Face transformers 5.24.
    init(
        _ model: Settings, _ generation: Settings, _ rules: SettingRules, startToken: Int? = nil,
        vocabularySize: Int, positions: Int
    ) throws(FileError) {
        func token(_ key: String, or fallback: Int? = nil) throws(FileError) -> Int {
            let settings = generation.has(key) ? generation : model
            let id = try settings.integer(key, or: fallback)
            guard (0..<vocabularySize).contains(id) else {
                throw FileError(
                    settings.file, "'\(key)': token \(id) is outside the vocabulary of \(vocabularySize)")
            }
            return id
        }
        padToken = try token("pad_token_id")
        endToken = try token("eos_token_id")
        self.startToken = try token("decoder_start_token_id", or: startToken ?? padToken)
        forcedEndToken =
            generation.has("forced_eos_token_id") ? try token("forced_eos_token_id") : nil
        if rules["forced_bos_token_id"] == .read, generation.has("forced_bos_token_id") {
            forcedFirstToken = try token("forced_bos_token_id")
        }
        bannedTokens = try Self.bannedTokens(generation, vocabularySize)
        let length = try generation.has("max_length") ? generation.size("max_length") : nil
        let newTokens = try generation.has("max_new_tokens") ? generation.size("max_new_tokens") : nil
        maximumLength = min(newTokens.map { $0 + 1 } ?? length ?? 21, positions)
        beams = try generation.size("num_beams", or: 1)
        lengthPenalty = try generation.number("length_penalty", or: 1)
        stopsEarly = try generation.flag("early_stopping", or: false)
        renormalizes = try generation.flag("renormalize_logits", or: false)
        try generation.check(rules)
    }

    /// The settings of generation in a model directory: generation_config.json, or `model`, where older
    /// models keep them.
    static func settings(in directory: URL, or model: Settings) throws(FileError) -> Settings {
        let file = directory.appending(path: "generation_config.json")
        return FileManager.default.fileExists(atPath: file.path) ? try Settings(file) : model
    }

    private static func bannedTokens(_ settings: Settings, _ vocabularySize: Int) throws(FileError) -> [Int] {
        guard let value = settings.any("bad_words_ids") else { return [] }
        guard let words = value as? [[Int]] else {
            throw FileError(settings.file, "'bad_words_ids': expected lists of token ids")
        }
        var banned: [Int] = []
        for word in words {
            guard word.count == 1 else {
                throw FileError(
                    settings.file, "'bad_words_ids': only single tokens are supported, got \(word)")
            }
            guard (0..<vocabularySize).contains(word[0]) else {
                throw FileError(
                    settings.file,
                    "'bad_words_ids': token \(word[0]) is outside the vocabulary of \(vocabularySize)")
            }
            banned.append(word[0])
        }
        return banned
    }
}
