import Foundation

/// Starts the program that `Scripts/fuzz.py` builds: libFuzzer with one of the targets, `fuzz NAME
/// OPTIONS...`, the targets' names after `fuzz` alone, or else bitplan itself under the address sanitizer.
///
/// - Source: the options are libFuzzer's own (LLVM's documentation, "libFuzzer").
@main
enum FuzzProgram {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count > 1, arguments[1] == "fuzz" else { return runCommand() }
        guard arguments.count > 2 else { return FuzzTarget.all.forEach { print($0.name) } }
        guard let target = FuzzTarget.all.first(where: { $0.name == arguments[2] }) else { exit(64) }
        workspace = try FuzzWorkspace(target)
        fuzz([arguments[0]] + arguments.dropFirst(3))
    }

    private static func runCommand() {
        do {
            var command = try RootCommand.parseAsRoot()
            try command.run()
        } catch {
            RootCommand.exit(withError: error)
        }
    }
}

/// What is fuzzed; libFuzzer's callback has no context.
nonisolated(unsafe) private var workspace: FuzzWorkspace?

/// Runs libFuzzer with these arguments and ends the program with its exit code.
private func fuzz(_ arguments: [String]) {
    var count = CInt(arguments.count)
    let words = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: arguments.count + 1)
    for index in arguments.indices { words[index] = strdup(arguments[index]) }
    words[arguments.count] = nil
    var first: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = words
    exit(runFuzzer(&count, &first, readInput))
}

private func readInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    workspace?.read(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}

/// libFuzzer's loop: calls the last argument with inputs until its options say that it is enough.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ argc: UnsafeMutablePointer<CInt>,
    _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
