import BitplanTensors
import Foundation

/// What bitplan does with a key of a model's settings file. A family lists every key that the reference's own
/// configuration classes have (`Scripts/goldens/configuration_keys.py`). Keys that the reference does not
/// know are passed over: people add keys of their own.
package enum SettingRule: Sendable, Equatable {
    /// The family reads it.
    case read
    /// It changes no answer: it is about training, memory, speed or what the reference prints, or an option
    /// of the command decides.
    case harmless
    /// The family does not have what it asks for. Null, an empty list and an empty object ask for nothing.
    case refused(unless: [Value])

    /// A value of a key.
    package enum Value: Sendable, Equatable, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
        ExpressibleByStringLiteral, CustomStringConvertible
    {
        case flag(Bool)
        case number(Double)
        case text(String)

        package init(booleanLiteral value: Bool) { self = .flag(value) }
        package init(integerLiteral value: Int) { self = .number(Double(value)) }
        package init(stringLiteral value: String) { self = .text(value) }

        /// A value as JSON gives it; nil for lists and objects.
        init?(_ value: Any) {
            if let text = value as? String {
                self = .text(text)
            } else if let number = value as? NSNumber {
                self = Settings.isFlag(number) ? .flag(number.boolValue) : .number(number.doubleValue)
            } else {
                return nil
            }
        }

        /// As JSON has it, texts in single quotes.
        package var description: String {
            switch self {
            case .flag(let flag): "\(flag)"
            case .number(let number): Int(exactly: number).map(String.init) ?? "\(number)"
            case .text(let text): "'\(text)'"
            }
        }
    }
}

/// Rules by key.
package typealias SettingRules = [String: SettingRule]

extension SettingRules {
    /// These rules and others; of a key in both, the other.
    ///
    /// - Parameter refused: what is supported, by key; nothing where the list is empty.
    func adding(
        read: [String] = [], harmless: [String] = [], refused: [String: [SettingRule.Value]] = [:]
    ) -> SettingRules {
        var rules = self
        for key in read { rules[key] = .read }
        for key in harmless { rules[key] = .harmless }
        for (key, supported) in refused { rules[key] = .refused(unless: supported) }
        return rules
    }
}

extension Settings {
    /// Refuses what the rules refuse.
    ///
    /// - Throws: `FileError` that names the first such key in alphabetical order, its value and what is
    ///   supported.
    package func check(_ rules: SettingRules) throws(FileError) {
        for (key, rule) in rules.sorted(by: { $0.key < $1.key }) {
            guard case .refused(let supported) = rule, let value = any(key) else { continue }
            if let list = value as? [Any], list.isEmpty { continue }
            if let object = value as? [String: Any], object.isEmpty { continue }
            guard let scalar = SettingRule.Value(value) else {
                throw FileError(file, "'\(key)' is not supported")
            }
            guard !supported.contains(scalar) else { continue }
            let expected = supported.map(\.description).joined(separator: " or ")
            throw FileError(
                file,
                "'\(key)': \(scalar) is not supported" + (expected.isEmpty ? "" : ": expected \(expected)"))
        }
    }

    /// Refuses what the rules refuse in `file`, where it exists.
    static func check(_ file: URL, _ rules: SettingRules) throws(FileError) {
        guard FileManager.default.fileExists(atPath: file.path) else { return }
        try Settings(file).check(rules)
    }

    /// The class that the weights belong to: the first of `architectures`, which must be one of `supported`.
    ///
    /// - Throws: `FileError` where the key is missing, or names the class of another task: its weights fit,
    ///   its answers do not.
    func architecture(_ supported: [String]) throws(FileError) -> String {
        let expected = supported.joined(separator: " or ")
        guard let value = any("architectures") else {
            throw FileError(file, "'architectures' is missing: expected [\"\(supported[0])\"]")
        }
        guard let names = value as? [String], let name = names.first else {
            throw FileError(file, "'architectures': expected a list of names, \(expected)")
        }
        guard supported.contains(name) else {
            throw FileError(file, "architecture '\(name)' is not supported: expected \(expected)")
        }
        return name
    }
}
