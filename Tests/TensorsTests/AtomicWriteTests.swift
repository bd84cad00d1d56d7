import BitplanTensors
import Foundation
import Synchronization
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
            #expect(error?.message.contains("cannot be written: ") == true, "says why")
        }
        let error = #expect(throws: FileError.self) {
            try AtomicWrite.directory(directory.file("file/below")) { _ in Issue.record("never called") }
        }
        #expect(error?.message.contains("cannot be written") == true)
        #expect(try directory.contents() == ["file"])
    }

    @Test("Whoever looks while a directory is replaced finds one of both")
    func replacedDirectoryIsThereAtAnyTime() throws {
        let directory = try TemporaryDirectory()
        let target = directory.file("model")
        func write(_ text: String) throws {
            try AtomicWrite.directory(target) { try AtomicWrite.file(text, to: $0.appending(path: "a")) }
        }
        try write("0")
        let isDone = Atomic(false)
        let gaps = Atomic(0)
        let reader = DispatchGroup()
        DispatchQueue.global().async(group: reader) {
            while !isDone.load(ordering: .acquiring) {
                if access(target.path, F_OK) != 0 { gaps.add(1, ordering: .relaxed) }
            }
        }
        for number in 1...100 { try write("\(number)") }
        isDone.store(true, ordering: .releasing)
        reader.wait()
        #expect(gaps.load(ordering: .relaxed) == 0)
        #expect(try directory.contents() == ["model", "model/a"])
        #expect(try String(contentsOf: target.appending(path: "a"), encoding: .utf8) == "100")
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

    /// What a killed process has left is gone with the next one that writes the same; what a process that
    /// lives writes stays, and so does everything else.
    @Test func leftoversOfKilledProcessesGo() throws {
        let directory = try TemporaryDirectory()
        let dead = Process()
        dead.executableURL = URL(filePath: "/usr/bin/env")
        dead.arguments = ["true"]
        try dead.run()
        dead.waitUntilExit()
        let (file, model) = (directory.file("file.txt"), directory.file("model"))
        func left(_ target: URL, by process: Int32) -> String {
            AtomicWrite.temporary(for: target).lastPathComponent.replacing(
                "-\(ProcessInfo.processInfo.processIdentifier).", with: "-\(process).")
        }
        let other = left(directory.file("other"), by: dead.processIdentifier)
        let living = left(file, by: getppid())
        for name in [left(file, by: dead.processIdentifier), other, living, ".file.txt.part"] {
            try Data([1]).write(to: directory.file(name))
        }
        let half = directory.file(left(model, by: dead.processIdentifier))
        try FileManager.default.createDirectory(at: half, withIntermediateDirectories: false)
        try Data([1]).write(to: half.appending(path: "a"))
        try AtomicWrite.file("text", to: file)
        try AtomicWrite.directory(model) { _ in }
        #expect(
            try directory.contents().sorted()
                == [".file.txt.part", other, living, "file.txt", "model"].sorted())
    }

    /// Whatever the path or link by which it is named.
    @Test func inputsAreNotWrittenOver() throws {
        let directory = try TemporaryDirectory()
        let (data, link, other) = (directory.file("data"), directory.file("link"), directory.file("other"))
        try AtomicWrite.file("text", to: data)
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: data)
        for output in [data, link, directory.file("x/../data")] {
            let error = #expect(throws: FileError.self) {
                try AtomicWrite.checkWritable(output, inputs: [other, data])
            }
            #expect(error?.message == "is read as input: expected another file to write")
        }
        try AtomicWrite.checkWritable(other, inputs: [data, other])
        #expect(try directory.contents() == ["data", "link"])
    }

    /// What goes wrong inside a directory that is being written is said of the directory, not of its
    /// temporary name.
    @Test func errorsNameTheDirectoryAsTheUserKnowsIt() throws {
        let directory = try TemporaryDirectory()
        let error = #expect(throws: FileError.self) {
            try AtomicWrite.directory(directory.file("model")) { target in
                try AtomicWrite.file("1", to: target.appending(path: "a"))
                try AtomicWrite.file("2", to: target.appending(path: "a/b"))
            }
        }
        #expect(error?.path == directory.file("model/a/b").path)
        #expect(error?.message.hasPrefix("cannot be written") == true, "\(error?.message ?? "")")
        #expect(try directory.contents() == [])
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
