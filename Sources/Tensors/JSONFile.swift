import Foundation

/// JSON with sorted keys: the same value gives the same bytes.
package enum JSONFile {
    /// The bytes of a value, a line feed at the end.
    package static func data(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value) + Data("\n".utf8)
    }

    /// Writes a value to a file, all of it or nothing.
    package static func write(_ value: some Encodable, to file: URL) throws {
        try AtomicWrite.file(try data(value), to: file)
    }

    /// Reads a value from a file.
    ///
    /// - Throws: `FileError` that says where in the file something else was expected.
    package static func read<Value: Decodable>(_ type: Value.Type, from file: URL) throws(FileError) -> Value
    {
        try decode(type, from: try FileError.read(file), file: file)
    }

    /// Reads a value from bytes; `file` is named in errors.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, from data: Data, file: URL
    ) throws(FileError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch let error as DecodingError {
            throw FileError(file, describe(error))
        } catch {
            throw FileError(file, "is not JSON: \(error.localizedDescription)")
        }
    }

    private static func describe(_ error: DecodingError) -> String {
        func place(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? "at the top" : "at '\(path)'"
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(place(context)): '\(key.stringValue)' is missing"
        case .typeMismatch(let type, let context): return "\(place(context)): expected \(name(of: type))"
        case .valueNotFound(let type, let context):
            return "\(place(context)): expected \(name(of: type)), got null"
        case .dataCorrupted(let context): return "\(place(context)): \(context.debugDescription)"
        @unknown default: return "cannot be decoded"
        }
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Int.Type: "an integer"
        case is Double.Type: "a number"
        default: "an object or array (\(type))"
        }
    }
}
