import Foundation
import TestSupport

/// What a run of a program left behind.
struct Outcome {
    let status: Int32
    let output: Data
    let error: String

    /// Standard output as text.
    var text: String { String(decoding: output, as: UTF8.self) }

    /// The lines of standard error.
    var errorLines: [Substring] { error.split(separator: "\n") }

    /// Standard output as a JSON object.
    func object() throws -> [String: Any] {
        guard let object = try JSONSerialization.jsonObject(with: output) as? [String: Any] else {
            throw Unexpected(description: "expected a JSON object, got \(text)")
        }
        return object
    }
}

/// What stops a test.
struct Unexpected: Error, CustomStringConvertible {
    let description: String
}

/// Runs programs: bitplan itself, as it was built beside the tests, and the Python that reads its files.
enum Program {
    /// The interpreter that `make test` provides; without it the tests that need it are skipped.
    static let python = ProcessInfo.processInfo.environment["BITPLAN_PYTHON"]

    /// The binary of this name beside the test bundle, else that of the release build.
    static func executable(_ name: String = "bitplan") throws -> URL {
        let bundles = CommandLine.arguments.filter { $0.contains(".xctest") }
        var places: [URL] = []
        for bundle in bundles {
            var place = URL(filePath: bundle)
            while place.path.contains(".xctest") { place = place.deletingLastPathComponent() }
            places.append(place)
        }
        places.append(TestFiles.root.appending(path: ".build/release"))
        let candidates = places.map { $0.appending(path: name) }
        guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) })
        else { throw Unexpected(description: "no binary \(name) at any of \(candidates.map(\.path))") }
        return found
    }

    /// Runs bitplan, by default with a cache directory of its own: no test ever sees the user's store.
    static func bitplan(
        _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> Outcome {
        try run(try executable(), arguments, input: input, environment: environment)
    }

    /// Runs bitplan and expects success.
    @discardableResult
    static func succeed(_ arguments: [String], input: String = "") throws -> Outcome {
        let outcome = try bitplan(arguments, input: input)
        guard outcome.status == 0 else {
            throw Unexpected(description: "bitplan \(arguments.joined(separator: " ")): \(outcome.error)")
        }
        return outcome
    }

    /// Starts bitplan and goes on.
    static func start(_ arguments: [String]) throws -> RunningProgram {
        try RunningProgram(try executable(), arguments)
    }

    /// Starts bitplan and kills it (SIGKILL) after some seconds; false where it had ended before.
    static func killed(_ arguments: [String], after seconds: Double) throws -> Bool {
        let program = try start(arguments)
        Thread.sleep(forTimeInterval: seconds)
        return try program.kill()
    }

    /// Starts bitplan and kills it (SIGKILL) as soon as `condition` holds; false where it had ended before.
    static func killed(_ arguments: [String], when condition: () throws -> Bool) throws -> Bool {
        let program = try start(arguments)
        while program.isRunning, try !condition() { Thread.sleep(forTimeInterval: 0.01) }
        return try program.kill()
    }

    /// Runs a program.
    static func run(
        _ executable: URL, _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> Outcome {
        try RunningProgram(executable, arguments, input: input, environment: environment).wait()
    }
}

/// A program that runs; its streams are files, so that no pipe can fill up.
final class RunningProgram {
    private let streams: Workspace
    private let process = Process()

    init(
        _ executable: URL, _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws {
        streams = try Workspace()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment
            .merging(["XDG_CACHE_HOME": streams.path("cache")]) { $1 }.merging(environment) { $1 }
        process.currentDirectoryURL = streams.root
        process.standardInput = try FileHandle(forReadingFrom: streams.write(input, to: "in"))
        process.standardOutput = try FileHandle(forWritingTo: streams.write("", to: "out"))
        process.standardError = try FileHandle(forWritingTo: streams.write("", to: "err"))
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    /// What it left behind, once it has ended.
    func wait() throws -> Outcome {
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: try Data(contentsOf: streams.file("out")),
            error: try String(contentsOf: streams.file("err"), encoding: .utf8))
    }

    /// Kills it; false where it had ended before.
    func kill() throws -> Bool {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        return process.terminationReason == .uncaughtSignal
    }
}

/// A temporary directory that goes with the object.
final class Workspace: Sendable {
    let root: URL

    init() throws {
        root = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    func file(_ name: String) -> URL { root.appending(path: name) }

    func path(_ name: String) -> String { file(name).path }

    /// Writes a file, its directories included.
    @discardableResult
    func write(_ data: Data, to name: String) throws -> URL {
        try FileManager.default.createDirectory(
            at: file(name).deletingLastPathComponent(), withIntermediateDirectories: true)
        try data.write(to: file(name))
        return file(name)
    }

    @discardableResult
    func write(_ text: String, to name: String) throws -> URL { try write(Data(text.utf8), to: name) }

    func read(_ name: String) throws -> Data { try Data(contentsOf: file(name)) }

    /// Everything in the directory, hidden files included.
    func contents() throws -> Set<String> {
        Set(try FileManager.default.subpathsOfDirectory(atPath: root.path))
    }
}
