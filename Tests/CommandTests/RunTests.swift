import Foundation
import TestSupport
import Testing

/// `run` as programs use it: through pipes, one line and its answer at a time.
@Suite struct RunTests {
    private static let model = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-llama").path

    /// A started `bitplan run` that reads from a pipe and writes into one.
    private final class Conversation {
        private let process = Process()
        private let input = Pipe()
        private let output = Pipe()
        private var unread = Data()

        init(_ arguments: [String]) throws {
            process.executableURL = try Program.executable()
            process.arguments = ["run"] + arguments
            process.standardInput = input
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
        }

        func write(_ text: String) throws {
            try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        }

        /// The next line; nil where none comes within a minute, which a loaded machine takes for no answer of a small model.
        func line() -> String? {
            while true {
                if let end = unread.firstIndex(of: 0x0A) {
                    defer { unread = Data(unread[(end + 1)...]) }
                    return String(decoding: unread[..<end], as: UTF8.self)
                }
                var descriptor = pollfd(
                    fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&descriptor, 1, 60_000) > 0 else { return nil }
                let data = output.fileHandleForReading.availableData
                if data.isEmpty { return nil }
                unread += data
            }
        }

        func close() throws -> Int32 {
            try input.fileHandleForWriting.close()
            process.waitUntilExit()
            return process.terminationStatus
        }

        deinit { if process.isRunning { process.terminate() } }
    }

    /// The answer comes while the pipe is open, whatever the size of a batch, and also in front of half a line.
    @Test(arguments: ["1", "32"]) func answersComeBeforeTheNextLine(_ batch: String) throws {
        let lines = ["a line", "another", "", "the third line of text"]
        let expected = try Program.succeed(
            ["run", Self.model, "--max-length", "5"], input: lines.joined(separator: "\n") + "\n"
        ).text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let conversation = try Conversation([Self.model, "--max-length", "5", "--batch", batch])
        for (line, answer) in zip(lines, expected) {
            try conversation.write(line + "\n")
            #expect(conversation.line() == answer)
        }
        try conversation.write("a line\nano")
        #expect(conversation.line() == expected[0])
        try conversation.write("ther\n")
        #expect(conversation.line() == expected[1])
        #expect(try conversation.close() == 0)
        #expect(conversation.line() == nil)
    }

    /// Lines before one that is too long are answered, wherever it stands in a batch; those behind it are not.
    @Test(arguments: ["1", "2", "32"]) func linesBeforeOneThatIsTooLong(_ batch: String) throws {
        let long = String(repeating: "a line of text ", count: 40)
        let arguments = ["run", Self.model, "--max-length", "5", "--batch", batch, "--threads", "1"]
        let expected = try Program.succeed(arguments, input: "a line\nanother\nthird\n").text
        let outcome = try Program.bitplan(arguments, input: "a line\nanother\nthird\n\(long)\na line\n")
        #expect(outcome.status == 1)
        #expect(outcome.text == expected)
        #expect(
            outcome.errorLines.count == 1 && outcome.error.hasPrefix("bitplan: standard input: line 4 has "),
            "\(outcome.error)")
    }

    /// What cannot be written is not taken for written.
    @Test(
        .enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "needs /dev/full"),
        arguments: [
            ["run", RunTests.model, "--max-length", "2"], ["inspect", RunTests.model, "--json"],
            ["inspect", RunTests.model],
        ])
    func fullOutput(_ arguments: [String]) throws {
        let outcome = try shell("exec \"$0\" \"$@\" > /dev/full", arguments, input: "a\n")
        #expect(outcome.status == 1)
        #expect(outcome.error == "bitplan: standard output: cannot be written: No space left on device\n")
    }

    /// Runs bitplan as the last command of a script: `$0` is the program, `$@` its arguments.
    private func shell(_ script: String, _ arguments: [String], input: String = "") throws -> Outcome {
        try Program.run(
            URL(filePath: "/bin/bash"), ["-c", script, try Program.executable().path] + arguments,
            input: input)
    }

    /// A file that grows beyond what may be written is named, and nothing is left.
    @Test func fullDisk() throws {
        let workspace = try Workspace()
        let quantize = ["quantize", Fixture.model.path, "--preset", "bcq4", "--fit", "greedy", "--output"]
        let outcome = try shell(
            "trap '' XFSZ; ulimit -f 800; exec \"$0\" \"$@\"", quantize + [workspace.path("packed")])
        #expect(outcome.status == 1)
        #expect(
            outcome.error
                == "bitplan: \(workspace.path("packed"))/model.safetensors: cannot be written: File too large\n"
        )
        #expect(try workspace.contents() == [])
    }

    /// A model whose weights are more than the process may have is refused before they are read. Its file is one hole.
    @Test func weightsBeyondTheMemory() throws {
        let workspace = try Workspace()
        let source = URL(filePath: Self.model), target = workspace.file("model")
        try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            try FileManager.default.copyItem(
                at: source.appending(path: name), to: target.appending(path: name))
        }
        func object(_ data: Data) throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        }
        var settings = try object(Data(contentsOf: source.appending(path: "config.json")))
        let inner = try #require(settings["intermediate_size"] as? Int), larger = 6_000_000
        settings["intermediate_size"] = larger
        try JSONSerialization.data(withJSONObject: settings).write(to: target.appending(path: "config.json"))
        let file = try Data(contentsOf: source.appending(path: "model.safetensors"))
        let length = file.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        var header: [String: Any] = [:], end = 0, count = 0
        for (name, value) in try object(file[8..<(8 + length)]) where name != "__metadata__" {
            let entry = try #require(value as? [String: Any])
            let shape = try #require(entry["shape"] as? [Int]).map { $0 == inner ? larger : $0 }
            let start = end
            count += shape.reduce(1, *)
            end += 2 * shape.reduce(1, *)
            header[name] = ["dtype": "F16", "shape": shape, "data_offsets": [start, end]] as [String: Any]
        }
        let json = try JSONSerialization.data(withJSONObject: header)
        let start = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) } + json
        try start.write(to: target.appending(path: "model.safetensors"))
        let handle = try FileHandle(forWritingTo: target.appending(path: "model.safetensors"))
        try handle.truncate(atOffset: UInt64(start.count + end))
        try handle.close()
        let limit = end + 700_000_000
        #expect(4 * count > limit, "as FP32 the weights are more than the limit")
        let outcome = try shell(
            "ulimit -v \(limit / 1024); exec \"$0\" \"$@\"", ["run", target.path], input: "a\n")
        #expect(outcome.status == 1, "\(outcome.error)")
        #expect(
            outcome.errorLines.count == 1
                && outcome.error.contains(
                    "model.safetensors: its weights need \(4 * count) bytes of memory, "),
            "\(outcome.error)")
    }

    /// No command writes over what it reads.
    @Test func outputsThatAreInputs() throws {
        let workspace = try Workspace()
        let data = try zip(["plan.en", "plan.de"], Fixture.planning).map { name, path in
            try workspace.write(Data(contentsOf: URL(filePath: path)), to: name).path
        }
        for output in data {
            try expectRefusal(
                ["sweep", Fixture.model.path, "--limit", "2", "--data"] + data + ["--output", output],
                in: workspace, saying: [output, "is read as input: expected another file to write"])
        }
        let table = try workspace.write(
            Data(contentsOf: URL(filePath: Fixture.table.get().path)), to: "table.json")
        for command in [
            ["plan", table.path, "--size", "8x"], ["report", table.path], ["frontier", table.path],
        ] {
            try expectRefusal(
                command + ["--output", table.path], in: workspace, saying: [table.path, "is read as input"])
        }
        #expect(try workspace.read("table.json") == Data(contentsOf: URL(filePath: Fixture.table.get().path)))
    }
}
