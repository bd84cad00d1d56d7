import ArgumentParser
import BitplanModels
import BitplanTensors
import BitplanTokenizers
import Foundation

/// The model that a command works on.
struct ModelArguments: ParsableArguments {
    @Argument(help: "Model directory; where a packed one will do, packed or not.") var model: String
    @OptionGroup var weights: WeightsOption

    /// The directory, or the file of weights that was named.
    ///
    /// - Throws: as `WeightsOption.place`.
    var place: URL { get throws { try weights.place(in: model) } }
}

/// Which of a model's files of weights is meant.
struct WeightsOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Which weights of the directory, where it has several models in Marian's own format.",
            valueName: "file"))
    var weights: String?

    /// A model directory, or the file of weights in it that was named.
    ///
    /// - Throws: `FileError` where that file is not there.
    func place(in model: String) throws -> URL {
        guard let weights else { return URL(path: model) }
        let file = weights.contains("/") ? URL(path: weights) : URL(path: model).appending(path: weights)
        guard FileManager.default.fileExists(atPath: file.path) else {
            throw FileError(file, "no such file")
        }
        let (folder, directory) = (file.deletingLastPathComponent(), URL(path: model))
        guard folder.standardizedFileURL.path == directory.standardizedFileURL.path else {
            throw FileError(file, "expected a file in the model directory \(directory.path)")
        }
        return file
    }
}

/// The languages that a model is to translate between.
struct LanguageOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Models that translate between many languages: the source's, by the model's own code (de, deu_Latn, de_DE); as the model's settings say where not given.",
            valueName: "code"))
    var sourceLanguage: String?

    @Option(help: ArgumentHelp("As --source-language, the target's.", valueName: "code"))
    var targetLanguage: String?

    /// nil where nothing is said.
    var languages: TranslationLanguages? {
        TranslationLanguages(chosenSource: sourceLanguage, target: targetLanguage)
    }
}

/// The tokens that translations may have.
struct ShortlistOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Translation models in Marian's own format: a shortlist of the tokens that translations may have, in Marian's binary form.",
            valueName: "file"))
    var shortlist: String?

    /// The options with the shortlist.
    func adding(to options: TaskOptions) -> TaskOptions {
        var options = options
        options.shortlist = shortlist.map { URL(path: $0) }
        return options
    }
}
