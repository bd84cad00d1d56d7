import ArgumentParser
import BitplanAllocation
import BitplanLatency
import BitplanPlanning
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

/// What a plan is made for.
struct TargetOptions: ParsableArguments {
    @Option(parsing: .unconditional, help: "Size: 20MB, 20MiB, 10x, 2.6bits.", transform: SizeTarget.option)
    var size: SizeTarget?
    @Option(
        parsing: .unconditional, help: "Time of a mean item, one thread: 40ms, 0.5s. Needs --profile.",
        transform: TargetOptions.seconds)
    var latency: Double?
    @Option(help: "Latency profile of the machine, which bitplan profile wrote.") var profile: String?
    @Option(
        parsing: .unconditional, help: "Energy of a mean item's arithmetic: 2mJ, 0.1J.",
        transform: TargetOptions.joules)
    var energy: Double?
    @Option(help: "What energy is counted on: 7nm, 45nm.") var process = Energy.Process.nm7
    @Option(help: ArgumentHelp("Pin a sublayer to a scheme: Dec_ed.3=bcq4.", valueName: "name=scheme"))
    var pin: [String] = []
    @Option(
        help: ArgumentHelp("Schemes that sublayers may take: Enc_ffn=bcq2,bcq3.", valueName: "name=schemes"))
    var allow: [String] = []
    @Option(help: "Fewest bits of a code: 2, 1.5.") var minBits: Double?
    @Option(help: "Make sublayers equal: types (all depths of a type), depth (all types of a depth).")
    var tie: AllocationProblem.TiePreset?
    @Option(
        parsing: .unconditional,
        help: "The other way round: the least cost with a loss (KL, nats per prediction) of at most this.")
    var maxLoss: Double?
    @Option(help: "What --max-loss makes small: bytes, seconds (needs --profile), joules.")
    var minimize: Plan.Cost?

    func validate() throws {
        if let minBits, !(1...32).contains(minBits) {
            throw ValidationError("--min-bits: expected 1 to 32, got \(minBits)")
        }
        if let maxLoss, !(maxLoss > 0 && maxLoss.isFinite) {
            throw ValidationError("--max-loss: expected more than 0, got \(maxLoss)")
        }
        if minimize != nil, maxLoss == nil {
            throw ValidationError(
                "--minimize needs --max-loss: without a limit the smallest plan is the best")
        }
        for pin in pin where pin.contains(",") {
            throw ValidationError("--pin: expected one scheme, got '\(pin)'; --allow takes several")
        }
    }

    /// The target; reads the profile.
    func target() throws -> PlanTarget {
        var target = PlanTarget(size: size)
        target.seconds = latency
        target.profile = try profile.map { try readProfile(URL(path: $0)) }
        target.joules = energy
        target.process = process
        target.restrictions = pin + allow
        target.minimumBits = minBits
        target.tie = tie
        if let maxLoss { target.goal = .least(minimize ?? .bytes, maximumLoss: maxLoss) }
        do {
            try target.check()
        } catch .noBudget {
            throw UsageError("expected a budget: --size, --latency, --energy, or --max-loss")
        } catch .noProfile {
            throw UsageError("seconds need --profile: the file that bitplan profile wrote on this machine")
        }
        return target
    }

    static func seconds(_ text: String) throws -> Double {
        try number(text, [("ms", 1e-3), ("us", 1e-6), ("s", 1)], "a time above 0 such as 40ms or 0.5s")
    }

    static func joules(_ text: String) throws -> Double {
        try number(
            text, [("mJ", 1e-3), ("uJ", 1e-6), ("J", 1)], "an energy above 0 such as 2mJ or 0.1J")
    }

    private static func number(
        _ text: String, _ units: [(name: String, factor: Double)], _ expected: String
    ) throws -> Double {
        guard let unit = units.first(where: { text.hasSuffix($0.name) }),
            let value = Double(text.dropLast(unit.name.count)), value > 0, value.isFinite
        else { throw UsageError("expected \(expected)") }
        return value * unit.factor
    }
}

extension AllocationProblem.TiePreset: ExpressibleByArgument {}
extension Plan.Cost: ExpressibleByArgument {}
extension Energy.Process: ExpressibleByArgument {}

/// Runs `body`; what a table lacks is reported with its file, what a profile lacks with the profile's, and
/// how to get it.
func naming<Value>(profile: String?, _ table: URL, _ body: () throws -> Value) throws -> Value {
    try naming(table) {
        do {
            return try body()
        } catch LatencyError.noKernel(let scheme) {
            throw FileError(
                profile ?? table.path,
                "\(LatencyError.noKernel(scheme)); 'bitplan profile --schemes \(scheme)' measures it")
        } catch let error as LatencyError where error != .noWork {
            throw FileError(profile ?? table.path, "\(error)")
        }
    }
}
