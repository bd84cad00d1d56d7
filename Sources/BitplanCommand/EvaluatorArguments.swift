import ArgumentParser
import BitplanEvaluators
import BitplanSensitivity
import BitplanWorkflows
import Foundation

/// A process of the user's that measures a model in bitplan's place.
struct EvaluatorArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Instead of a model directory: a command that measures the model, which speaks JSON lines on standard input and output (the documentation's article on evaluators).",
            valueName: "command"))
    var evaluator: String?
    @Option(
        help:
            "With --evaluator: processes of it that measure at once; each has its number, from 0, in BITPLAN_WORKER."
    )
    var workers: Int?
    @Option(help: "With --evaluator: how often a request that failed is tried again; 2 where not given.")
    var retries: Int?
    @Option(help: "With --evaluator: most seconds of an answer; 600 where not given.") var timeout: Double?

    func validate() throws {
        if let workers, !(1...1024).contains(workers) {
            throw ValidationError("--workers: expected 1 to 1024, got \(workers)")
        }
        if let retries, !(0...1000).contains(retries) {
            throw ValidationError("--retries: expected 0 to 1000, got \(retries)")
        }
        if let timeout, !(timeout > 0 && timeout <= 1e6) {
            throw ValidationError(
                "--timeout: expected more than 0 and at most 1000000 seconds, got \(timeout)")
        }
        if evaluator == nil { try refuse(["--workers", "--retries", "--timeout"], "needs --evaluator") }
    }

    /// What is to be started; nil where a model directory is measured.
    var options: EvaluatorOptions? {
        evaluator.map {
            EvaluatorOptions($0, workers: workers ?? 1, retries: retries ?? 2, timeout: timeout ?? 600)
        }
    }

    /// What an evaluator settles itself: data, codes and how the model is run.
    static let settledByEvaluator = [
        "--weights", "--data", "--limit", "--targets", "--context", "--stride", "--calibration",
        "--calibration-limit", "--beams", "--threads", "--batch", "--max-length", "--temperature", "--seed",
        "--dry-run",
    ]
}

/// Refuses options that the command line has.
///
/// - Throws: `ValidationError` that names the first of them and says `why`.
func refuse(_ names: [String], _ why: String) throws {
    for name in names where isGiven(name) { throw ValidationError("\(name) \(why)") }
}

/// Whether the command line has an option, whatever its value.
func isGiven(_ name: String) -> Bool {
    CommandLine.arguments.contains { $0 == name || $0.hasPrefix(name + "=") }
}

extension Shard: ExpressibleByArgument {}
