import Foundation

/// Starts the program that `Scripts/fuzz.py` builds: libFuzzer with one of the targets, `NAME OPTIONS...`,
/// or, of any other arguments, bitplan itself under the address sanitizer.
///
/// - Source: the options are libFuzzer's own (LLVM's documentation, "libFuzzer").
@main
enum FuzzProgram {
    /// What is fuzzed; libFuzzer's callback has no context.
    nonisolated(unsafe) private static var workspace: FuzzWorkspace?

    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count > 1, let target = FuzzTarget.all.first(where: { $0.name == arguments[1] })
        else {
            if arguments.count == 2, arguments[1] == "--targets" {
                return FuzzTarget.all.forEach { print($0.name) }
            }
            return runCommand()
        }
        do {
            workspace = try FuzzWorkspace(target)
        } catch {
            writeErrorLine("\(error)")
            exit(1)
        }
        var argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = .allocate(capacity: arguments.count)
        for (index, argument) in ([arguments[0]] + arguments.dropFirst(2)).enumerated() {
            argv[index] = strdup(argument)
        }
        argv[arguments.count - 1] = nil
        var argc = CInt(arguments.count - 1)
        exit(
            runFuzzer(&argc, &argv) { bytes, count in
                workspace?.read(UnsafeRawBufferPointer(start: bytes, count: count))
                return 0
            })
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

/// libFuzzer's loop: calls the last argument with inputs until its options say that it is enough.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ argc: UnsafeMutablePointer<CInt>,
    _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
