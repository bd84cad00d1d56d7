import ArgumentParser
import BitplanPlanning
import BitplanReporting
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Renders a sensitivity table, its frontier, a plan and evaluations as Markdown with SVG plots, or as a page of HTML.",
        discussion: """
            With --output the plots are written beside the report, as <name>.sensitivity.svg, <name>.frontier.svg and, with a plan, \
            <name>.bits.svg. Printed to standard output the report has no plots. With --html it is one page that needs nothing beside it, with \
            a slider over the plans of the frontier; #point=N behind its address opens it at the Nth of them.
            """)

    @Argument(help: "Sensitivity table that a sweep wrote, or none with --training.") var sweep: String?
    @Option(help: "Plan file.") var plan: String?
    @Option(help: "Log of a run of `bitplan tune`, rendered instead of a table, with its curve as SVG.")
    var training: String?
    @Option(help: "Evaluations that auto left beside its report: NAME.comparison.json.") var comparison:
        String?
    @Option(help: "Where the Markdown is written; printed where neither this nor --html is given.")
    var output: String?
    @Option(help: ArgumentHelp("Page of HTML to write.", valueName: "file")) var html: String?
    @Option(help: "The report's title; the stem of the output where not given.") var name: String?
    @Flag(
        help:
            "Of a table of sweep --unit matrix: list the matrices inside every sublayer in the Markdown; a page of HTML always has them, folded."
    )
    var matrices = false

    func validate() throws {
        guard output == nil || output != html else {
            throw ValidationError("--output and --html name the same file")
        }
        guard (sweep == nil) != (training == nil) else {
            throw ValidationError("expected a sensitivity table or --training")
        }
        guard training == nil || (plan == nil && comparison == nil && html == nil && !matrices) else {
            throw ValidationError(
                "--training is rendered alone, as Markdown: without --plan, --comparison, --html and --matrices"
            )
        }
    }

    func run() throws {
        try reporting {
            try checkOutputs(
                [output, html].compactMap { $0.map { URL(path: $0) } },
                inputs: [sweep, plan, comparison, training].compactMap { $0.map { URL(path: $0) } })
            guard let sweep else { return try writeTraining() }
            let table = try readTable(URL(path: sweep))
            guard !matrices || table.layout.unit == .matrix else {
                throw FileError(
                    URL(path: sweep),
                    "is of whole sublayers: --matrices expects a table of single matrices (sweep --unit matrix)"
                )
            }
            let planFile = plan.map { URL(path: $0) }
            let plan = try planFile.map { try JSONFile.read(Plan.self, from: $0) }
            let comparison = try comparison.map { try readComparison(URL(path: $0)) }
            let stem = (output ?? html).map { URL(path: $0).deletingPathExtension().lastPathComponent }
            try naming(planFile ?? URL(path: sweep)) {
                let report = try ModelReport(
                    name: name ?? stem ?? "Sensitivity", table, plan: plan, comparison: comparison)
                if let output { try report.write(to: URL(path: output), listsMatrices: matrices) }
                if let html { try report.writePage(to: URL(path: html)) }
                if output == nil, html == nil {
                    try writeOutput(try report.markdown(withFigures: false, listsMatrices: matrices))
                }
            }
        }
    }
}

extension Report {
    private func writeTraining() throws {
        guard let training else { return }
        let log = try JSONFile.read(TrainingLog.self, from: URL(path: training))
        guard let output else {
            return try writeOutput(log.markdown(title: name ?? "Training", figure: nil))
        }
        let file = URL(path: output)
        let stem = file.deletingPathExtension().lastPathComponent
        let curve = file.deletingLastPathComponent().appending(path: stem + ".curve.svg")
        try AtomicWrite.file(log.curveSVG, to: curve)
        try AtomicWrite.file(
            log.markdown(title: name ?? stem, figure: curve.lastPathComponent), to: file)
    }
}

struct FrontierCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "frontier",
        abstract:
            "Computes the whole trade-off of bytes against predicted loss, its knee, and what a megabyte is worth.",
        discussion: """
            Predicted is the sum of the table's cells. Uniform plans and presets stand beside the frontier; with a plan its place is shown, and \
            for each of its sublayers the price of one step more and one step less, with a latency profile also that of a millisecond.
            """)

    @Argument(help: "Sensitivity table that a sweep wrote.") var sweep: String
    @Option(help: "Plan whose place and prices are shown.") var plan: String?
    @Option(help: "Latency profile that prices of a millisecond follow from; needs --plan.") var profile:
        String?
    @Option(
        parsing: .upToNextOption,
        help: "Sizes at which a plan of the frontier is wanted: 20MB, 20MiB, 10x, 2.6bits.",
        transform: SizeTarget.option)
    var at: [SizeTarget] = []
    @Option(
        help: ArgumentHelp(
            "File to write: JSON; Markdown with its plot beside it where the name ends in .md.",
            valueName: "file"))
    var output: String?
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard profile == nil || plan != nil else {
            throw ValidationError("--profile needs --plan: prices are those at a plan")
        }
    }

    func run() throws {
        try reporting {
            try checkOutputs(
                [output].compactMap { $0.map { URL(path: $0) } },
                inputs: [sweep, plan, profile].compactMap { $0.map { URL(path: $0) } })
            let table = try readTable(URL(path: sweep))
            let planFile = plan.map { URL(path: $0) }
            let plan = try planFile.map { try JSONFile.read(Plan.self, from: $0) }
            let frontier = try naming(planFile ?? URL(path: sweep)) {
                try FrontierTable(
                    table, sizes: at, plan: plan, profile: try profile.map { try readProfile(URL(path: $0)) })
            }
            let text = frontier.markdown + (frontier.prices.map { "\n" + $0.markdown } ?? "")
            if let output { try write(frontier, text, to: URL(path: output)) }
            try printResult(frontier, asJSON: json, text)
        }
    }

    private func write(_ frontier: FrontierTable, _ text: String, to file: URL) throws {
        guard file.pathExtension == "md" else { return try JSONFile.write(frontier, to: file) }
        let plot = file.deletingPathExtension().appendingPathExtension("svg")
        try AtomicWrite.file(frontier.plotSVG, to: plot)
        let picture = "![Bytes against loss: the frontier and plans beside it](\(plot.lastPathComponent))"
        try AtomicWrite.file("# Frontier\n\n\(picture)\n\n\(text)", to: file)
    }
}
