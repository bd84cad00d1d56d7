import BitplanModels
import Foundation
import Testing

@Suite struct TextFileTests {
    private func lines(_ text: String) throws -> [[Unicode.Scalar]] {
        let file = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString).txt")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(text.utf8).write(to: file)
        return try TextFile.lines(file).map { Array($0.unicodeScalars) }
    }

    /// As Python's `open(encoding="utf-8")`: a byte-order mark is a character like others.
    @Test func byteOrderMarksAreKept() throws {
        #expect(try lines("\u{FEFF}a\n\u{FEFF}b") == [["\u{FEFF}", "a"], ["\u{FEFF}", "b"]])
    }

    @Test func onlyLineFeedsEndLines() throws {
        #expect(
            try lines("a\r\nb\u{2028}c\u{85}d\r\n\n") == [["a"], ["b", "\u{2028}", "c", "\u{85}", "d"], []])
    }
}
