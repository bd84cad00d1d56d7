import Foundation
import Testing

/// Expects that a command refuses its input: an exit code that is not 0, one line that has all of `parts`,
/// nothing on standard output, and the workspace as it was.
func expectRefusal(
    _ arguments: [String], in workspace: Workspace, input: String = "", saying parts: [String],
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let before = try workspace.contents()
    let outcome = try Program.bitplan(arguments, input: input)
    #expect(outcome.status != 0, sourceLocation: sourceLocation)
    // A crash has many lines, or none.
    #expect(outcome.errorLines.count == 1, "\(outcome.error)", sourceLocation: sourceLocation)
    #expect(
        outcome.error.hasPrefix("bitplan: ") && outcome.error.hasSuffix("\n"), sourceLocation: sourceLocation)
    for part in parts {
        #expect(
            outcome.error.contains(part), "expected '\(part)' in: \(outcome.error)",
            sourceLocation: sourceLocation)
    }
    #expect(outcome.output.isEmpty, "\(outcome.text)", sourceLocation: sourceLocation)
    #expect(try workspace.contents() == before, sourceLocation: sourceLocation)
}
