import ArgumentParser
import BitplanKernels
import Foundation

/// Starts the program; wrong usage is one line on standard error, as every other error is.
package enum Program {
    /// Runs the command that the arguments of the process name, and ends the process where it fails.
    package static func main() {
        do {
            var command = try RootCommand.parseAsRoot()
            try command.reporting { try InstructionSet.checkEnvironment() }
            try command.run()
        } catch {
            guard !(error is ExitCode), !RootCommand.exitCode(for: error).isSuccess else {
                RootCommand.exit(withError: error)
            }
            let message = RootCommand.message(for: error)
            writeErrorLine(
                "\(message.hasSuffix(".") ? String(message.dropLast()) : message); 'bitplan --help' shows the usage"
            )
            Foundation.exit(RootCommand.exitCode(for: error).rawValue)
        }
    }
}
