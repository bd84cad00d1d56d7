import Foundation
import TestSupport
import Testing

/// `run` as programs use it: through pipes, on full disks, with lines that cannot be answered.
@Suite struct RunTests {
    /// A program that writes a line and waits for its answer gets it, whatever the batch.
    @Test(arguments: [1, 32]) func answersComeWhileTheInputIsOpen(_ batch: Int) throws {
        let process = Process()
        process.executableURL = try Program.executable()
        process.arguments = ["run", Fixture.model.path, "--batch", "\(batch)"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        defer { process.terminate() }
        for line in ["Hello.", "Where is the station?"] {
            try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
            var descriptor = pollfd(
                fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
            try #require(poll(&descriptor, 1, 60_000) == 1, "no answer while the input is open")
            let answer = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
            #expect(answer.last == "\n" && answer.split(separator: "\n").count == 1)
        }
        // Half a line does not hold back what is before it.
        try input.fileHandleForWriting.write(contentsOf: Data("I like music.\nWhere".utf8))
        var descriptor = pollfd(
            fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
        try #require(poll(&descriptor, 1, 60_000) == 1)
        _ = output.fileHandleForReading.availableData
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(!output.fileHandleForReading.readDataToEndOfFile().isEmpty, "the last line has no end")
    }

    /// Lines before one that is too long are answered; the error says which it is.
    @Test func aLineThatIsTooLongLosesNoAnswers() throws {
        let lines = ["Hello.", "I like music.", String(repeating: "word ", count: 3000), "Good night."]
        let outcome = try Program.bitplan(
            ["run", Fixture.model.path], input: lines.joined(separator: "\n") + "\n")
        #expect(outcome.status == 1)
        #expect(outcome.text.split(separator: "\n").count == 2)
        #expect(outcome.errorLines.count == 1 && outcome.error.contains("standard input: line 3 has"))
    }

    /// What the system refuses is named with the file it was meant for.
    @Test func aFullDiskIsOneLineWithTheFile() throws {
        let workspace = try Workspace()
        let packed = workspace.path("packed")
        let bitplan = try Program.executable().path
        // A limit of 700 blocks of 512 bytes to a file, and the signal that would come with it ignored.
        let outcome = try Program.run(
            URL(filePath: "/bin/sh"),
            [
                "-c",
                "trap '' XFSZ; ulimit -f 700; exec \"$0\" quantize \"$1\" --preset bcq2 --fit greedy --output \"$2\"",
                bitplan, Fixture.model.path, packed,
            ])
        #expect(outcome.status == 1)
        #expect(outcome.errorLines.count == 1)
        #expect(outcome.error.contains("\(packed)/model.safetensors: cannot be written: File too large"))
        #expect(!FileManager.default.fileExists(atPath: packed))
    }

    #if os(Linux)
        @Test func aFullStandardOutputIsAnError() throws {
            let bitplan = try Program.executable().path
            let outcome = try Program.run(
                URL(filePath: "/bin/sh"),
                ["-c", "echo Hello. | \"$0\" run \"$1\" > /dev/full", bitplan, Fixture.model.path])
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("standard output: cannot be written: No space left on device"))
        }

        /// Weights that do not fit into the memory there is are refused before they are read.
        @Test func tooLittleMemoryIsOneLine() throws {
            let bitplan = try Program.executable().path
            let workspace = try Workspace()
            let model = try Self.large(in: workspace)
            let outcome = try Program.run(
                URL(filePath: "/bin/sh"),
                ["-c", "ulimit -v 1000000; echo Hello. | \"$0\" run \"$1\"", bitplan, model.path])
            #expect(outcome.status == 1)
            #expect(outcome.errorLines.count == 1)
            #expect(outcome.error.contains("its weights need"))
        }

        /// A model of four million tokens whose file is mostly a hole.
        private static func large(in workspace: Workspace) throws -> URL {
            let tiny = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-llama")
            let directory = URL(filePath: workspace.path("large"))
            try FileManager.default.copyItem(at: tiny, to: directory)
            func object(_ data: Data) throws -> [String: Any] {
                try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
            }
            let rows = 4_000_000
            let settings = directory.appending(path: "config.json")
            var configuration = try object(Data(contentsOf: settings))
            configuration["vocab_size"] = rows
            try JSONSerialization.data(withJSONObject: configuration).write(to: settings)
            let weights = directory.appending(path: "model.safetensors")
            let stored = try Data(contentsOf: weights)
            let length = stored.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            var header = try object(stored[8..<8 + length])
            header["__metadata__"] = nil
            var offset = 0
            for name in header.keys.sorted() {
                var entry = try #require(header[name] as? [String: Any])
                var shape = try #require(entry["shape"] as? [Int])
                if ["model.embed_tokens.weight", "lm_head.weight"].contains(name) { shape[0] = rows }
                let end = offset + 2 * shape.reduce(1, *)
                entry["dtype"] = "F16"
                entry["shape"] = shape
                entry["data_offsets"] = [offset, end]
                header[name] = entry
                offset = end
            }
            let text = try JSONSerialization.data(withJSONObject: header)
            try (withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) } + text).write(to: weights)
            let file = try FileHandle(forWritingTo: weights)
            try file.truncate(atOffset: UInt64(8 + text.count + offset))
            try file.close()
            return directory
        }
    #endif
}
