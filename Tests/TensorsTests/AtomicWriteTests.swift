import BitplanTensors
import Foundation
import Testing

/// All of a file or nothing.
@Suite struct AtomicWriteTests {
    private struct Stop: Error {}

    @Test func fileIsReplacedAsAWhole() throws {
        let directory = try TemporaryDirectory()
        let file = directory.file("new/deep/file.txt")
        try AtomicWrite.file("first", to: file)
        try AtomicWrite.file("second", to: file)
        #expect(try String(contentsOf: file, encoding: .utf8) == "second")
        #expect(try directory.contents() == ["new", "new/deep", "new/deep/file.txt"])
    }

    @Test func failedFileLeavesNothing() throws {
        let directory = try TemporaryDirectory()
        #expect(throws: FileError.self) {
            try AtomicWrite.stream(to: directory.file("new/deep/file.txt")) { handle in
                try handle.write(contentsOf: Data(count: 1000))
                throw Stop()
            }
        }
        #expect(try directory.contents() == [])
    }

    @Test func failedFileLeavesTheOldOne() throws {
        let directory = try TemporaryDirectory()
        let file = directory.file("file.txt")
        try AtomicWrite.file("old", to: file)
        #expect(throws: FileError.self) {
            try AtomicWrite.stream(to: file) { handle in
                try handle.write(contentsOf: Data(count: 1000))
                throw Stop()
            }
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == "old")
        #expect(try directory.contents() == ["file.txt"])
    }

    @Test func placesThatCannotBeWritten() throws {
        let directory = try TemporaryDirectory()
        try AtomicWrite.file("text", to: directory.file("file"))
        for target in [directory.file("file/below"), directory.url] {
            let error = #expect(throws: FileError.self) { try AtomicWrite.file("x", to: target) }
            #expect(error?.path == target.path)
            #expect(error?.message.contains("cannot be written") == true)
        }
        let error = #expect(throws: FileError.self) {
            try AtomicWrite.directory(directory.file("file/below")) { _ in Issue.record("never called") }
        }
        #expect(error?.message.contains("cannot be written") == true)
        #expect(try directory.contents() == ["file"])
    }

    @Test func directoryIsReplacedAsAWhole() throws {
        let directory = try TemporaryDirectory()
        let target = directory.file("new/model")
        try AtomicWrite.directory(target) { try AtomicWrite.file("1", to: $0.appending(path: "old.txt")) }
        try AtomicWrite.directory(target) { try AtomicWrite.file("2", to: $0.appending(path: "new.txt")) }
        #expect(try directory.contents() == ["new", "new/model", "new/model/new.txt"])
    }

    @Test func failedDirectoryLeavesNothing() throws {
        let directory = try TemporaryDirectory()
        #expect(throws: Stop.self) {
            try AtomicWrite.directory(directory.file("new/deep/model")) { target in
                try AtomicWrite.file("1", to: target.appending(path: "part.txt"))
                throw Stop()
            }
        }
        #expect(try directory.contents() == [])
        try AtomicWrite.directory(directory.file("model")) {
            try AtomicWrite.file("1", to: $0.appending(path: "a"))
        }
        #expect(throws: Stop.self) {
            try AtomicWrite.directory(directory.file("model")) { _ in throw Stop() }
        }
        #expect(try directory.contents() == ["model", "model/a"])
    }

    @Test func failedTensorsLeaveNothing() throws {
        let directory = try TemporaryDirectory()
        let declarations: [SafetensorsWriter.Declaration] = [
            .init(name: "a", type: .uint8, shape: [100]), .init(name: "b", type: .uint8, shape: [100]),
        ]
        #expect(throws: Stop.self) {
            try SafetensorsWriter.write(declarations, to: directory.file("a.safetensors")) { declaration in
                if declaration.name == "b" { throw Stop() }
                return Data(count: 100)
            }
        }
        #expect(try directory.contents() == [])
    }
}
