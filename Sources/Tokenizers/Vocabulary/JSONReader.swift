import Foundation

/// A strict JSON reader (RFC 8259) over bytes.
///
/// - Complexity: linear in the file. Nesting is limited to 128, so hostile depth cannot exhaust the stack.
struct JSONReader {
    private let file: String
    private let bytes: [UInt8]
    private var position = 0

    private init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
    }

    /// The document in `file`.
    static func read(_ file: URL) throws(TokenizerError) -> JSONField {
        try read(TokenizerError.read(file), file: file.path)
    }

    /// The document in `file`; nil where there is no such file.
    static func readIfPresent(_ file: URL) throws(TokenizerError) -> JSONField? {
        FileManager.default.fileExists(atPath: file.path) ? try read(file) : nil
    }

    /// The document in `bytes`; errors name `file`.
    static func read(_ bytes: [UInt8], file: String) throws(TokenizerError) -> JSONField {
        if let offset = firstInvalidUTF8(in: bytes) {
            throw .malformed(file: file, offset: offset, reason: "invalid UTF-8")
        }
        var reader = JSONReader(file: file, bytes: bytes)
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.position == bytes.count else { throw reader.error("text after the JSON document") }
        return JSONField(file: file, value: value)
    }

    /// The offset of the first byte that is not part of well-formed UTF-8.
    static func firstInvalidUTF8(in bytes: [UInt8]) -> Int? {
        var decoder = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var offset = 0
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .valid(let scalar): offset += scalar.count
            case .emptyInput: return nil
            case .error: return offset
            }
        }
    }

    private func error(_ reason: String) -> TokenizerError {
        .malformed(file: file, offset: position, reason: "invalid JSON: \(reason)")
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Character) throws(TokenizerError) {
        guard let byte = character.asciiValue, take(byte) else { throw error("expected '\(character)'") }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(TokenizerError) -> JSONValue {
        for offset in 0..<word.utf8CodeUnitCount where !take(word.utf8Start[offset]) {
            throw error("expected '\(word)'")
        }
        return value
    }

    private mutating func value(depth: Int) throws(TokenizerError) -> JSONValue {
        guard depth < 128 else { throw error("nested more than 128 deep") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw error("the file ends early")
        case let byte?
        where byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
            return try number()
        default: throw error("expected a value")
        }
    }

    private mutating func object(depth: Int) throws(TokenizerError) -> JSONValue {
        try expect("{")
        var members: [(key: [UInt8], value: JSONValue)] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            skipSpace()
            let key = try string()
            skipSpace()
            try expect(":")
            members.append((key, try value(depth: depth + 1)))
            skipSpace()
        } while take(UInt8(ascii: ","))
        try expect("}")
        return .object(members)
    }

    private mutating func array(depth: Int) throws(TokenizerError) -> JSONValue {
        try expect("[")
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        repeat {
            elements.append(try value(depth: depth + 1))
            skipSpace()
        } while take(UInt8(ascii: ","))
        try expect("]")
        return .array(elements)
    }

    private mutating func digits() throws(TokenizerError) {
        let start = position
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw error("expected a digit") }
    }

    private mutating func number() throws(TokenizerError) -> JSONValue {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "-")) { _ = take(UInt8(ascii: "+")) }
            try digits()
        }
        return .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func string() throws(TokenizerError) -> [UInt8] {
        try expect("\"")
        var text: [UInt8] = []
        var start = position
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                text += bytes[start..<position]
                position += 1
                return text
            case UInt8(ascii: "\\"):
                text += bytes[start..<position]
                position += 1
                try escape(into: &text)
                start = position
            case 0..<0x20: throw error("control character in a string")
            default: position += 1
            }
        }
        throw error("the file ends inside a string")
    }

    private mutating func escape(into text: inout [UInt8]) throws(TokenizerError) {
        guard let byte = next else { throw error("the file ends inside a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try fourHexDigits()
            if (0xD800..<0xDC00).contains(code), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
                let low = try fourHexDigits()
                guard (0xDC00..<0xE000).contains(low) else { throw error("unpaired surrogate") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw error("unpaired surrogate") }
            text += String(Character(scalar)).utf8
        default: throw error("unknown escape")
        }
    }

    private mutating func fourHexDigits() throws(TokenizerError) -> UInt32 {
        guard position + 4 <= bytes.count else { throw error("expected four hexadecimal digits") }
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
                throw error("expected four hexadecimal digits")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}
