import ArgumentParser
import Foundation
import PlanFormat
import Workflows

/// The command line: every command parses, calls a workflow and prints; nothing else happens here.
@main
struct Bitplan: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bitplan",
        abstract:
            "Finds how far each sublayer of a Transformer may be squeezed, plans the bits within a budget, and runs the result.",
        version: toolVersion,
        subcommands: [
            Sweep.self, PlanCommand.self, Quantize.self, Run.self, Evaluate.self, Report.self, Inspect.self,
            Auto.self,
        ])
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
            let line = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
            FileHandle.standardError.write(Data("bitplan: \(line)\n".utf8))
            throw ExitCode.failure
        }
    }
}

/// Prints a value as JSON, or the text that stands for it.
func printResult(_ value: some Encodable, asJSON: Bool, _ text: @autoclosure () throws -> String) throws {
    if asJSON {
        FileHandle.standardOutput.write(try JSONFile.data(value))
    } else {
        print(try text())
    }
}

extension SizeTarget: ExpressibleByArgument {
    /// Reads a size; the parser reports what is none.
    public init?(argument: String) { self.init(argument) }
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
