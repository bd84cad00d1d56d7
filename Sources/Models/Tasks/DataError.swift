import Foundation

/// What is wrong with how data are asked for, whatever the files hold.
package enum DataError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Another number of files than the task reads.
    case files([URL], expected: String)
    /// A sentence, by its place from 0, that the model has no room to translate.
    case noOutput(Int, positions: Int)
    /// Windows of a text, asked for where items are read one by one.
    case windowsOfItems
    /// A window that the model has not the positions for.
    case context(Int, positions: Int)
    /// A shortlist for a model whose tokens have other numbers than Marian's.
    case shortlist(URL)
    /// Languages for a model that translates between none, or two.
    case languages(modelType: String)
    /// Windows that leave tokens out, or never move on.
    case stride(Int, context: Int)

    /// One line: what is wrong, expected and got.
    package var description: String {
        switch self {
        case .files(let files, let expected):
            "\(files.first?.path ?? "data"): expected \(expected), got \(files.count) files"
        case .noOutput(let index, let positions):
            "the model's own translation of sentence \(index + 1) is empty: expected at least one token, the end symbol included; the model generates up to \(max(0, positions - 1))"
        case .shortlist(let file):
            "\(file.path): a shortlist: expected a translation model in Marian's own format"
        case .languages(let type):
            "languages: expected a model that translates between several (m2m_100, mbart), got one of type '\(type)'"
        case .windowsOfItems: "windows of a text: expected only for language models"
        case .context(let tokens, let positions):
            "windows of a text: expected 2 to the model's \(positions) positions, got \(tokens)"
        case .stride(let tokens, let context):
            "steps between windows: expected 1 to the \(context) tokens of a window, got \(tokens)"
        }
    }
}
