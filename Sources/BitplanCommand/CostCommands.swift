import ArgumentParser
import BitplanLatency
import BitplanModels
import BitplanReporting
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

struct Profile: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Measures this machine, once: the kernels of every scheme, and attention, norms and all else.",
        discussion: """
            Products are timed at a grid of shapes and token counts, with weights that come from where they come from in models of \
            1 to 256 MiB; everything else on networks of every family whose products do nothing. One thread. The seconds of any plan \
            of any model follow from it: bitplan cost, bitplan plan --latency, bitplan evaluate --profile.
            """)

    @Option(help: "Profile to write.") var output: String
    @Option(help: "Schemes to time, e.g. fp32,bcq1..4,int4:g64.") var schemes = SchemeList(
        Profiler.usualSchemes)
    @Flag(help: "A coarse grid: a rough profile in a fifth of the time.") var quick = false
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        try reporting {
            let progress = ProgressLine("profile")
            let profiler = Profiler(
                schemes: schemes.schemes, grid: quick ? .quick : .standard, families: Families.all)
            let profile = try profiler.profile(tool: toolVersion) { progress.show($0, of: $1) }
            try JSONFile.write(profile, to: URL(path: output))
            var kernels = MarkdownTable([
                "scheme", "512 x 512, 1 token, us", "2048 x 512, 1 token, us", "spread",
            ])
            for times in profile.kernels {
                func point(_ rows: Int) -> LatencyProfile.KernelPoint? {
                    times.points.first { $0.rows == rows && $0.columns == 512 && $0.tokens == 1 }
                }
                let spreads = times.points.map(\.spread).sorted()
                kernels.add([
                    times.scheme.description, point(512).map { fixed(1e6 * $0.seconds, 2) } ?? "",
                    point(2048).map { fixed(1e6 * $0.seconds, 2) } ?? "",
                    fixed(100 * spreads[spreads.count / 2], 1) + "%",
                ])
            }
            let overheads = profile.overheads.map {
                "overhead of \($0.modelType): fitted within \(fixed(100 * $0.spread, 1))%"
            }
            try printResult(
                profile, asJSON: json,
                "\(profile.machine.processor), \(profile.machine.instructions)\nothers slowed the machine by "
                    + "\(fixed(100 * profile.machine.disturbance, 0))% meanwhile (allowed for)\n\n"
                    + kernels.text + "\n"
                    + overheads.joined(separator: "\n"))
        }
    }
}

struct Cost: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Prints what plans of a model cost to store and to run: bytes, seconds, joules; or what a sweep takes.",
        discussion: """
            Seconds are predicted from a latency profile; --measure runs every plan over random weights of its schemes beside it. \
            Joules are those of the arithmetic (energy table of Wang et al. 2023, BitNet), without memory.

            --sweep says instead what a sweep takes on --machines, a part each: CPU seconds, memory, and bytes that are moved, from a few \
            items that are timed here; with a profile of the machines, at their speed. It needs the weights and --data.
            """)

    @Argument(help: "Model directory; it needs no weights.") var model: String
    @Option(help: "Latency profile that bitplan profile wrote.") var profile: String?
    @Option(
        parsing: .upToNextOption,
        help: "Plan files, or plans by name as in quantize --preset: schemes, chung, sensimix:3+3.")
    var plans = ["fp32", "bcq2", "bcq3", "bcq4", "int8"]
    @Option(help: "Tokens that an item has.") var read = 30
    @Option(help: "Tokens that are generated.") var generate = 30
    @Flag(help: "Also measure, in alternation, on one thread.") var measure = false
    @Option(help: "Rounds of measuring.") var rounds = 9
    @OptionGroup var sweep: SweepPartsCost
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        for (name, value) in [("--read", read), ("--generate", generate), ("--rounds", rounds)]
        where !(1...65536).contains(value) {
            throw ValidationError("\(name): expected 1 to 65536, got \(value)")
        }
    }

    func run() throws {
        try reporting {
            let file = profile.map { URL(path: $0) }
            let profile = try file.map { try readProfile($0) }
            func run<F: ModelFamily>(_ type: F.Type) throws {
                guard !sweep.isAsked else {
                    let estimate = try sweep.estimate(F.self, URL(path: model), on: profile)
                    return try printResult(estimate, asJSON: json, estimate.text(threads: sweep.task.threads))
                }
                let family = try F(directory: URL(path: model))
                // Without weights no vector is known to be constant.
                let layout =
                    (try? Model<F>(directory: URL(path: model)))?.layout
                    ?? family.layout.packed(vectors: family.vectors, constants: ConstantVectors())
                guard let work = layout.work else { throw LatencyError.noWork }
                let chosen = try plans.map { name in
                    let file = URL(path: name)
                    guard name.hasSuffix(".json") else {
                        let preset = try Preset(named: name)
                        return (name, layout, try preset.schemes(of: layout, modelType: F.modelType))
                    }
                    let plan = try JSONFile.read(Plan.self, from: file)
                    let units = plan.layout(of: layout)
                    return (file.lastPathComponent, units, try naming(file) { try plan.schemes(of: units) })
                }
                let workload = work.workload(read: read, generated: generate)
                let result = try naming(file ?? URL(path: model)) {
                    try costs(
                        family, of: chosen, workload: workload, profile: profile,
                        rounds: measure ? rounds : nil)
                }
                try printResult(result, asJSON: json, table(result, workload))
            }
            try run(try Families.family(of: URL(path: model)))
        }
    }

    private func table(_ costs: [PlanCost], _ workload: Workload) -> String {
        let hasPrediction = costs.contains { $0.seconds != nil }
        let tokens = Double(max(1, workload.predictions))
        var columns = ["plan", "bytes"]
        if hasPrediction { columns += ["predicted, ms", "per token, ms", "outside products"] }
        if measure { columns += ["measured, ms", "spread"] }
        if hasPrediction && measure { columns += ["difference", "undisturbed, ms", "difference"] }
        let processes = Energy.Process.allCases.map(\.rawValue)
        columns += processes.map { "mJ at \($0)" } + processes.map { "mJ a token at \($0)" }
        var table = MarkdownTable(columns)
        for cost in costs {
            var cells = [cost.name, grouped(cost.bytes)]
            if let seconds = cost.seconds, let overhead = cost.overheadSeconds {
                cells += [
                    milliseconds(seconds), milliseconds(seconds / tokens),
                    fixed(100 * overhead / seconds, 1) + "%",
                ]
            }
            if let measured = cost.measuredSeconds, let spread = cost.spread {
                cells += [milliseconds(measured), fixed(100 * spread, 1) + "%"]
                if let seconds = cost.seconds, let undisturbed = cost.undisturbedSeconds {
                    cells.append(signed(100 * (seconds / measured - 1), 1) + "%")
                    cells.append(milliseconds(undisturbed))
                    cells.append(signed(100 * (seconds / undisturbed - 1), 1) + "%")
                }
            }
            cells += processes.map { fixed(1e3 * (cost.joules[$0] ?? 0), 3) }
            cells += processes.map { fixed(1e3 * (cost.joules[$0] ?? 0) / tokens, 4) }
            table.add(cells)
        }
        return "\(workload.read) tokens read, \(workload.predictions) predictions, one thread\n\n"
            + table.text
    }
}

/// Milliseconds with three digits that count.
func milliseconds(_ seconds: Double) -> String {
    let value = 1e3 * seconds
    return fixed(value, value >= 100 ? 1 : value >= 10 ? 2 : 3)
}

/// A number with its sign.
func signed(_ value: Double, _ digits: Int) -> String { (value < 0 ? "" : "+") + fixed(value, digits) }
