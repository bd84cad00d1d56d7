import BitplanCommand
import Foundation

/// Starts the program that `Scripts/fuzz.py` builds.
///
/// - `bitplan-fuzz targets` prints the targets' names;
/// - `bitplan-fuzz check TARGET SEED SECONDS FILE...` has a target read files, then random changes of them;
/// - `bitplan-fuzz fuzz TARGET OPTION...` hands a target to libFuzzer, where that is linked in;
/// - anything else is bitplan itself, under the sanitizer of the build.
///
/// - Source: the options of `fuzz` are libFuzzer's own (LLVM's documentation, "libFuzzer").
@main
enum FuzzProgram {
    static func main() throws {
        let arguments = CommandLine.arguments
        switch arguments.dropFirst().first {
        case "targets": FuzzTarget.all.forEach { print($0.name) }
        case "check":
            guard arguments.count > 4, let seed = UInt64(arguments[3]), let seconds = Double(arguments[4])
            else { exit(64) }
            let changes = try RandomChanges(of: arguments.dropFirst(5).map { URL(filePath: $0) })
            let inputs = try changes.read(by: workspace(arguments), seed: seed, seconds: seconds)
            print("\(inputs) inputs")
        case "fuzz": fuzz(try workspace(arguments), [arguments[0]] + arguments.dropFirst(3))
        default: Program.main()
        }
    }

    private static func workspace(_ arguments: [String]) throws -> FuzzWorkspace {
        guard arguments.count > 2, let target = FuzzTarget.all.first(where: { $0.name == arguments[2] })
        else { exit(64) }
        return try FuzzWorkspace(target)
    }
}

#if LIBFUZZER
    /// What is fuzzed; libFuzzer's callback has no context.
    nonisolated(unsafe) private var fuzzed: FuzzWorkspace?

    /// Runs libFuzzer with these arguments and ends the program with its exit code.
    private func fuzz(_ workspace: FuzzWorkspace, _ arguments: [String]) {
        fuzzed = workspace
        var count = CInt(arguments.count)
        let words = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: arguments.count + 1)
        for index in arguments.indices { words[index] = strdup(arguments[index]) }
        words[arguments.count] = nil
        var first: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = words
        exit(runFuzzer(&count, &first, readInput))
    }

    private func readInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
        fuzzed?.read(UnsafeRawBufferPointer(start: bytes, count: count))
        return 0
    }

    /// libFuzzer's loop: calls the last argument with inputs until its options say that it is enough.
    @_silgen_name("LLVMFuzzerRunDriver")
    private func runFuzzer(
        _ argc: UnsafeMutablePointer<CInt>,
        _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
        _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
    ) -> CInt
#else
    private func fuzz(_ workspace: FuzzWorkspace, _ arguments: [String]) { exit(64) }
#endif
