import Foundation
import TestSupport

/// Goldens of other implementations.
enum GoldenFiles {
    /// A JSON document below `../shared`.
    static func shared<Value: Decodable>(_ path: String, as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(contentsOf: TestFiles.shared.appending(path: path)))
    }

    /// The project's own small goldens.
    static let own = TestFiles.root.appending(path: "Tests/TokenizersTests/Goldens")

    static func own<Value: Decodable>(_ path: String, as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(contentsOf: own.appending(path: path)))
    }
}

/// A row of a golden file, an array that starts with a text and goes on with lists of ids and further texts.
struct GoldenRow: Decodable {
    let text: String
    let ids: [[Int]]
    let texts: [String]

    init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        text = try container.decode(String.self)
        var ids: [[Int]] = []
        var texts: [String] = []
        while !container.isAtEnd {
            if let list = try? container.decode([Int].self) {
                ids.append(list)
            } else {
                texts.append(try container.decode(String.self))
            }
        }
        self.ids = ids
        self.texts = texts
    }
}

/// The lines that differ, few enough to read.
struct Differences: CustomStringConvertible {
    private(set) var count = 0
    private(set) var compared = 0
    private var lines: [String] = []

    mutating func compare<Value: Equatable>(_ got: Value, _ expected: Value, _ place: String) {
        compared += 1
        guard got != expected else { return }
        count += 1
        if lines.count < 5 { lines.append("\(place.debugDescription): got \(got), expected \(expected)") }
    }

    var description: String { "\(count) of \(compared) differ\n" + lines.joined(separator: "\n") }
}
