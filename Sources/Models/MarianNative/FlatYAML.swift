import BitplanTensors
import Foundation

/// Settings in YAML as Marian writes them: keys with a scalar, or with a list of scalars, and nothing below.
///
/// A list is `[a, b]` behind its key, or a line `- a` for each of its values. A scalar is a truth value, a
/// number or a text, in quotes or without. What stands behind ` #` is a comment; the lines `---` and `...`
/// say nothing.
enum FlatYAML {
    /// Far more than Marian writes.
    private static let largestSize = 1 << 16

    /// The settings of a text.
    ///
    /// - Throws: `FileError` that names the line which is none of these, or whose key was there before.
    static func settings(_ text: String, _ file: URL) throws(FileError) -> Settings {
        guard text.utf8.count <= largestSize else {
            throw FileError(file, "settings of \(text.utf8.count) bytes: expected up to \(largestSize)")
        }
        var object: [String: Any] = [:]
        // The list that lines may go on with, and its key.
        var list: (key: String, values: [Any])?
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let content = withoutComment(line).trimmingCharacters(in: .whitespaces.union(["\r"]))
            if content.isEmpty || content == "---" || content == "..." { continue }
            func refuse(_ expected: String) -> FileError {
                FileError(file, "line \(index + 1): expected \(expected), got \(quoted(content))")
            }
            if content == "-" || content.hasPrefix("- ") {
                guard list != nil, let value = scalar(content.dropFirst()) else {
                    throw refuse("a scalar of a list behind its key")
                }
                list?.values.append(value)
                continue
            }
            // An empty list may stand on a line of its own.
            if content == "[]", list?.values.isEmpty == true { continue }
            guard let colon = content.firstIndex(of: ":"), line.first?.isWhitespace == false,
                let key = scalar(content[..<colon]) as? String, !key.isEmpty
            else { throw refuse("'key: value', not indented") }
            if let list { object[list.key] = list.values }
            list = nil
            guard object[key] == nil else {
                throw FileError(file, "line \(index + 1): \(quoted(key)) was there before")
            }
            let rest = content[content.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            guard !rest.isEmpty else {
                list = (key, [])
                continue
            }
            guard let value = value(rest[...]) else {
                throw refuse("a scalar or a list of scalars behind \(quoted(key))")
            }
            object[key] = value
        }
        if let list { object[list.key] = list.values }
        return Settings(file: file, object: object)
    }

    /// A line up to a `#` that stands at its start or behind a space, and not in quotes.
    private static func withoutComment(_ line: Substring) -> Substring {
        var quote: Character?
        var last: Character = " "
        for (place, character) in zip(line.indices, line) {
            if character == "#", quote == nil, last.isWhitespace { return line[..<place] }
            if character == quote {
                quote = nil
            } else if quote == nil, character == "'" || character == "\"", last.isWhitespace {
                quote = character
            }
            last = character
        }
        return line
    }

    private static func value(_ text: Substring) -> Any? {
        guard text.hasPrefix("[") else { return scalar(text) }
        guard text.hasSuffix("]"), text.count >= 2 else { return nil }
        let inner = text.dropFirst().dropLast().trimmingCharacters(in: .whitespaces)
        var list: [Any] = []
        for part in inner.isEmpty ? [] : inner.split(separator: ",", omittingEmptySubsequences: false) {
            guard let value = scalar(part) else { return nil }
            list.append(value)
        }
        return list
    }

    /// A truth value, a number or a text; nil where it is a collection, an anchor or a text of several lines.
    private static func scalar(_ text: Substring) -> Any? {
        let text = text.trimmingCharacters(in: .whitespaces)
        guard let first = text.first else { return "" }
        if first == "'" || first == "\"" {
            guard text.count >= 2, text.last == first else { return nil }
            let inner = text.dropFirst().dropLast()
            return inner.contains(first) || inner.contains("\\") ? nil : String(inner)
        }
        guard !"[]{}&*!|>%@`".contains(first), !text.contains(": ") else { return nil }
        switch text {
        case "true": return NSNumber(value: true)
        case "false": return NSNumber(value: false)
        case "null", "~": return NSNull()
        default: break
        }
        guard first.isNumber || "+-.".contains(first) else { return text }
        if let number = Int(text) { return NSNumber(value: number) }
        if let number = Double(text), number.isFinite { return NSNumber(value: number) }
        return text
    }

    /// The start of a text in quotes, without what would break the line of an error.
    private static func quoted(_ text: String) -> String {
        let shown = String(
            text.unicodeScalars.prefix(60).map {
                $0.properties.generalCategory == .control ? " " : Character($0)
            })
        return "'\(shown)'" + (text.unicodeScalars.count > 60 ? "..." : "")
    }
}
