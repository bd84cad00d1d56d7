import BitplanTensors
import Foundation

/// An object of settings, read with the type that each key must have.
package struct Settings {
    /// The file, for errors.
    package let file: URL
    /// The values by key, as JSON has them.
    package let object: [String: Any]

    /// Reads `file`; `FileError` where it is missing or not a JSON object.
    package init(_ file: URL) throws(FileError) {
        self.file = file
        object = try FileError.readObject(file)
    }

    /// Settings of this object; `file` is named in errors.
    package init(file: URL, object: [String: Any]) {
        self.file = file
        self.object = object
    }

    /// All keys, in alphabetical order.
    var keys: [String] { object.keys.sorted() }

    /// Whether the key is there and not null.
    package func has(_ key: String) -> Bool { object[key] != nil && !(object[key] is NSNull) }

    /// The value under `key`, `fallback` where there is none.
    package func integer(_ key: String, or fallback: Int? = nil) throws(FileError) -> Int {
        try value(key, "an integer", or: fallback) { value in
            guard let number = Settings.number(value), let exact = Int(exactly: number.doubleValue) else {
                return nil
            }
            return exact
        }
    }

    /// An integer of at least 1 and at most `most`.
    package func size(
        _ key: String, or fallback: Int? = nil, upTo most: Int = 1 << 24
    ) throws(FileError) -> Int {
        let size = try integer(key, or: fallback)
        guard size >= 1, size <= most else {
            throw FileError(file, "'\(key)': expected a size from 1 to \(most), got \(size)")
        }
        return size
    }

    /// Layers, or other things that each take memory before a weight is read: far more than any model has,
    /// and few enough for a damaged file.
    package func count(_ key: String, or fallback: Int? = nil) throws(FileError) -> Int {
        try size(key, or: fallback, upTo: 1024)
    }

    /// The number under `key`, `fallback` where there is none.
    package func number(_ key: String, or fallback: Double? = nil) throws(FileError) -> Double {
        try value(key, "a number", or: fallback) { Settings.number($0)?.doubleValue }
    }

    /// The truth value under `key`, `fallback` where there is none.
    package func flag(_ key: String, or fallback: Bool? = nil) throws(FileError) -> Bool {
        try value(key, "true or false", or: fallback) { value in
            guard let number = value as? NSNumber, Settings.isFlag(number) else { return nil }
            return number.boolValue
        }
    }

    /// The text under `key`, `fallback` where there is none.
    package func text(_ key: String, or fallback: String? = nil) throws(FileError) -> String {
        try value(key, "a string", or: fallback) { $0 as? String }
    }

    /// The value under `key` as it was read, nil where there is none.
    package func any(_ key: String) -> Any? { has(key) ? object[key] : nil }

    private func value<Value>(
        _ key: String, _ kind: String, or fallback: Value?, _ read: (Any) -> Value?
    ) throws(FileError) -> Value {
        guard has(key), let raw = object[key] else {
            if let fallback { return fallback }
            throw FileError(file, "'\(key)' is missing: expected \(kind)")
        }
        guard let value = read(raw) else { throw FileError(file, "'\(key)': expected \(kind), got \(raw)") }
        return value
    }

    private static func number(_ value: Any) -> NSNumber? {
        guard let number = value as? NSNumber, !isFlag(number) else { return nil }
        return number
    }

    static func isFlag(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }
}
