import Foundation

/// Why a tokenizer could not be read from its files.
package enum TokenizerError: Error, Equatable, CustomStringConvertible {
    /// The file is missing or cannot be read.
    case unreadable(file: String, reason: String)
    /// The file is not the JSON, protobuf or text that it should be; `offset` is in bytes, `nil` where
    /// unknown.
    case malformed(file: String, offset: Int?, reason: String)
    /// A field holds another type or value than the format says.
    case unexpectedValue(file: String, field: String, expected: String, got: String)
    /// A field that the format requires is not there.
    case missingField(file: String, field: String)
    /// A token that the tokenizer cannot work without is not in the vocabulary.
    case missingToken(file: String, token: String)
    /// The vocabulary names one token twice.
    case duplicateToken(file: String, token: String)
    /// The vocabulary gives one id to two tokens.
    case duplicateID(file: String, id: Int, first: String, second: String)
    /// An id that does not lie in `0..<count`, for a vocabulary of `count` tokens.
    case idOutOfRange(file: String, token: String, id: Int, count: Int)
    /// A merge whose left side, right side or result the vocabulary does not name; `index` counts from 0.
    case unknownMergeToken(file: String, index: Int, token: String)
    /// A merge that occurs twice; both indices count from 0.
    case duplicateMerge(file: String, first: Int, second: Int)
    /// The file asks for something that this package does not do.
    case unsupported(file: String, what: String)

    /// One line: where, what, expected and got. Control characters of the file's own text are escaped.
    package var description: String {
        message.unicodeScalars.reduce(into: "") { line, scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: line += scalar.escaped(asASCII: true)
            default: line.unicodeScalars.append(scalar)
            }
        }
    }

    private var message: String {
        switch self {
        case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
        case .malformed(let file, let offset, let reason):
            "\(file): \(reason)" + (offset.map { " at byte \($0)" } ?? "")
        case .unexpectedValue(let file, let field, let expected, let got):
            "\(file): \(field): expected \(expected), got \(got)"
        case .missingField(let file, let field): "\(file): \(field) is missing"
        case .missingToken(let file, let token): "\(file): the token \(quoted(token)) is missing"
        case .duplicateToken(let file, let token): "\(file): the token \(quoted(token)) occurs twice"
        case .duplicateID(let file, let id, let first, let second):
            "\(file): \(quoted(first)) and \(quoted(second)) have the same id \(id)"
        case .idOutOfRange(let file, let token, let id, let count):
            "\(file): the id of \(quoted(token)) is \(id), expected 0 to \(count - 1) for \(count) tokens"
        case .unknownMergeToken(let file, let index, let token):
            "\(file): merge \(index) needs the token \(quoted(token)), which the vocabulary does not name"
        case .duplicateMerge(let file, let first, let second):
            "\(file): merges \(first) and \(second) are the same"
        case .unsupported(let file, let what): "\(file): \(what) is not supported"
        }
    }

    private func quoted(_ token: String) -> String {
        token.unicodeScalars.count > 80 ? "'\(String(token.unicodeScalars.prefix(80)))...'" : "'\(token)'"
    }
}

extension TokenizerError {
    /// The bytes of `file`.
    static func read(_ file: URL) throws(TokenizerError) -> [UInt8] {
        do {
            return [UInt8](try Data(contentsOf: file))
        } catch {
            let missing = !FileManager.default.fileExists(atPath: file.path)
            throw .unreadable(
                file: file.path, reason: missing ? "no such file" : "\(error.localizedDescription)")
        }
    }
}
