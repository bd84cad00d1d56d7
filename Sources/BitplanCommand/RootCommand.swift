import ArgumentParser
import BitplanModels
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

/// The command line: every command parses, calls a workflow and prints; nothing else happens here.
package struct RootCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bitplan",
        abstract:
            "Finds how far each sublayer of a Transformer may be squeezed, plans the bits within a budget, and runs the result.",
        discussion: """
            Exit codes: 0 where the work is done, 1 where input or files are wrong or the work fails, 64 where the command
            line is wrong. An error is one line on standard error. BITPLAN_ISA=portable, avx2, avx512, amx, neon, neondot or
            neoni8mm in the environment lets kernels use these instructions at most.
            """,
        version: toolVersion,
        subcommands: [
            Sweep.self, Profile.self, FrontierCommand.self, PlanCommand.self, Quantize.self, Tune.self,
            Run.self,
            Evaluate.self, Report.self, Export.self, Inspect.self, FamiliesCommand.self, DropLayers.self,
            Cost.self, Auto.self, StoreCommand.self, AnswerRequest.self,
        ])

    package init() {}
}

/// What every line on standard error begins with.
let errorMark = "bitplan: "

/// Writes one line to standard error, whatever `text` holds.
func writeErrorLine(_ text: String) {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    FileHandle.standardError.write(Data("\(errorMark)\(line)\n".utf8))
}

/// Writes one line to standard error that is worth knowing and no error.
func writeNote(_ text: String) { writeErrorLine("note: \(text)") }

/// Exit codes: 0 success, 1 wrong input or files, 64 wrong usage (from the argument parser).
extension ParsableCommand {
    /// Runs `body`; an error becomes one line on standard error and exit code 1.
    func reporting(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as ExitCode {
            throw error
        } catch let error as DataError {
            writeErrorLine("\(error.option): \(error)")
            throw ExitCode.failure
        } catch {
            writeErrorLine("\(error)")
            throw ExitCode.failure
        }
    }
}

extension DataError {
    /// The options that ask for data so.
    var option: String {
        switch self {
        case .files, .noOutput: "--data"
        case .shortlist: "--shortlist"
        case .languages: "--source-language, --target-language"
        case .windowsOfItems: "--context, --stride"
        case .context: "--context"
        case .stride: "--stride"
        }
    }
}

/// Prints a value as JSON, or the text that stands for it.
func printResult(_ value: some Encodable, asJSON: Bool, _ text: @autoclosure () throws -> String) throws {
    try writeOutput(
        asJSON ? String(decoding: try JSONFile.data(value), as: UTF8.self) : try text() + "\n")
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
        guard let schemes = argument == Self.automatic ? Scheme.automatic : Scheme.list(argument) else {
            return nil
        }
        self.schemes = schemes
    }

    private static let automatic = "auto"

    var defaultValueDescription: String {
        let list = schemes.map(\.description).joined(separator: ",")
        return schemes == Scheme.automatic ? "\(Self.automatic): \(list)" : list
    }
}

extension URL {
    /// A path of the command line.
    init(path: String) { self.init(fileURLWithPath: path) }
}
