import ArgumentParser
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

/// The command line: every command parses, calls a workflow and prints; nothing else happens here.
struct Bitplan: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bitplan",
        abstract:
            "Finds how far each sublayer of a Transformer may be squeezed, plans the bits within a budget, and runs the result.",
        version: toolVersion,
        subcommands: [
            Sweep.self, Profile.self, FrontierCommand.self, PlanCommand.self, Quantize.self, Run.self,
            Evaluate.self, Report.self, Export.self, Inspect.self, DropLayers.self,
            Cost.self, Auto.self, StoreCommand.self,
        ])
}

/// Starts the program; wrong usage is one line on standard error, as every other error is.
@main
enum Program {
    static func main() {
        do {
            var command = try Bitplan.parseAsRoot()
            try command.run()
        } catch {
            guard !(error is ExitCode), !Bitplan.exitCode(for: error).isSuccess else {
                Bitplan.exit(withError: error)
            }
            let message = Bitplan.message(for: error)
            writeErrorLine(
                "\(message.hasSuffix(".") ? String(message.dropLast()) : message); 'bitplan --help' shows the usage"
            )
            Foundation.exit(Bitplan.exitCode(for: error).rawValue)
        }
    }
}

/// Writes one line to standard error, whatever `text` holds.
func writeErrorLine(_ text: String) {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    FileHandle.standardError.write(Data("bitplan: \(line)\n".utf8))
}

/// Exit codes: 0 success, 1 wrong input or files, 64 wrong usage (from the argument parser).
extension ParsableCommand {
    /// Runs `body`; an error becomes one line on standard error and exit code 1.
    func reporting(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as ExitCode {
            throw error
        } catch {
            writeErrorLine("\(error)")
            throw ExitCode.failure
        }
    }
}

/// Prints a value as JSON, or the text that stands for it.
func printResult(_ value: some Encodable, asJSON: Bool, _ text: @autoclosure () throws -> String) throws {
    if asJSON {
        try writeOutput(try JSONFile.data(value))
    } else {
        try writeOutput(Data("\(try text())\n".utf8))
    }
}

/// Writes to standard output at once, behind all that was printed before.
///
/// - Throws: `FileError` where it cannot be written, as on a full disk.
func writeOutput(_ data: Data) throws {
    fflush(stdout)
    do {
        try FileHandle.standardOutput.write(contentsOf: data)
    } catch {
        throw FileError("standard output", "cannot be written: \(FileError.reason(error))")
    }
}

extension SizeTarget {
    /// Reads the text of an option.
    ///
    /// - Throws: `UsageError` that says which forms there are.
    static func option(_ text: String) throws -> SizeTarget {
        guard let target = SizeTarget(text) else {
            throw UsageError("expected a size above 0 such as 20MB, 20MiB, 10x or 2.6bits")
        }
        return target
    }
}

extension CodeFit: ExpressibleByArgument {}

/// A list of schemes: `bcq1..4,int4:g64,nf4`.
struct SchemeList: ExpressibleByArgument {
    let schemes: [Scheme]

    init(_ schemes: [Scheme]) { self.schemes = schemes }

    init?(argument: String) {
        guard let schemes = Scheme.list(argument) else { return nil }
        self.schemes = schemes
    }

    var defaultValueDescription: String { schemes.map(\.description).joined(separator: ",") }
}

extension URL {
    /// A path of the command line.
    init(path: String) { self.init(fileURLWithPath: path) }
}
