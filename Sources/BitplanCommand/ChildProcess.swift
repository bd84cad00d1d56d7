import ArgumentParser
import BitplanModels
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

/// Evaluations in a process of their own, whose peak memory is that of the model alone.
enum ChildProcess {
    /// Starts this program again, hands it the request on standard input, and reads the evaluation from its
    /// standard output.
    ///
    /// - Throws: `FileError` with the line that the other process ended with.
    static func evaluate(_ request: EvaluationRequest) throws -> Evaluation {
        let process = Process()
        process.executableURL = Bundle.main.executableURL ?? URL(path: CommandLine.arguments[0])
        process.arguments = [AnswerRequest.name]
        let (input, output, errors) = (Pipe(), Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // A request is far smaller than what a pipe holds, and so is the line that a failure ends with.
        try input.fileHandleForWriting.write(contentsOf: JSONFile.data(request))
        try input.fileHandleForWriting.close()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        let text = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let line = text.split(separator: "\n").last.map(String.init) ?? "no word of why"
            throw FileError(
                request.model,
                "could not be evaluated: \(line.hasPrefix(errorMark) ? String(line.dropFirst(errorMark.count)) : line)"
            )
        }
        return try JSONFile.decode(Evaluation.self, from: data, file: request.model)
    }
}

/// The other end: reads a request from standard input, evaluates, and writes the evaluation as JSON.
struct AnswerRequest: ParsableCommand {
    static let name = "answer-request"
    static let configuration = CommandConfiguration(commandName: name, shouldDisplay: false)

    func run() throws {
        try reporting {
            let input = URL(path: "standard input")
            let data = try FileHandle.standardInput.readToEnd() ?? Data()
            let request = try JSONFile.decode(EvaluationRequest.self, from: data, file: input)
            func run<F: ModelFamily>(_ family: F.Type) throws {
                try printResult(try evaluate(family, request), asJSON: true, "")
            }
            try run(try Families.family(of: request.model))
        }
    }
}
