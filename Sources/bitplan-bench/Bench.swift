import ArgumentParser
import BitplanKernels
import BitplanLatency
import BitplanTensors
import Foundation
import PlanFormat

/// One line of the benchmark.
struct Record: Codable {
    /// The case: gemm, training, matvec, batch or dram.
    let name: String
    let kernel: String
    let rows: Int
    let columns: Int
    let tokens: Int
    /// Seconds of one product.
    let seconds: Timing
    /// Of multiply-adds of the dense product, two each.
    let gigaflops: Double
    /// Of the stored weights.
    let gigabytesPerSecond: Double
    /// How many times as fast as OpenBLAS in the same run; nil without it.
    let overOpenBLAS: Double?
    /// How many times as fast as our own FP32 product in the same run.
    let overFP32: Double?
    /// Part of the bandwidth of reading the same codes in the same rotation, measured in the same run.
    let ofReadBandwidth: Double?
    /// What is aimed at: a ratio over OpenBLAS or over the forward product, or a part of the read bandwidth.
    let target: Double?
}

/// What `--json` prints.
struct Report: Codable {
    let instructions: String
    let openBLAS: String?
    /// Load of the machine before and after: above 1 a core is shared, and caches are.
    let loadBefore: Double?
    let loadAfter: Double?
    let clock: String
    let records: [Record]
}

/// Times the kernels, each checked against its twin first.
@main
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bitplan-bench",
        abstract: "Times every kernel on one thread, as ratios within one run.",
        discussion: """
            Each kernel is checked against its portable twin before it is timed. Repetitions alternate between kernels, and \
            medians of thread time are shown.

            gemm    FP32 products, against OpenBLAS if it is installed
            training  the three products of a step of training, the ways back against the forward
            matvec  one token, (2048, 512) in rotation over 24 matrices, of which a cache holds what it can, as in decoding
            batch   16 tokens, (2048, 512) in rotation over 4 matrices
            dram    one token, (32000, 512) in rotation over 128 MiB, against the bandwidth of reading

            With --model, whole translation models are timed instead: greedy decoding of the lines of --data to --length \
            tokens, the directories in alternation batch by batch, each packed one checked against its decoded twin first.

            BITPLAN_ISA=portable, avx2, avx512, amx, neon, neondot or neoni8mm in the environment measures the machine as \
            one with these instructions at most.
            """)

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    @Option(help: "Run only one case, or only one kernel: gemm, training, matvec, batch, dram, bcq1, int4...")
    var only: String?

    @Option(help: "Timed repetitions of each kernel; of whole models 3 where not given.")
    var repetitions: Int?

    @Option(
        help: "Translation model directory, packed or not; the first is what the others are compared with.")
    var model: [String] = []

    @Option(help: "Sentences that whole models translate, one a line.")
    var data: String?

    @Option(help: "Use only the first sentences.")
    var sentences = 16

    @Option(help: "Tokens of every translation.")
    var length = 40

    @Option(parsing: .upToNextOption, help: "Sentences at a time.")
    var batch = [1, 16]

    func validate() throws {
        for (name, value) in [
            ("--repetitions", repetitions ?? 1), ("--sentences", sentences), ("--length", length),
            ("--batch", batch.min() ?? 0),
        ] where value < 1 {
            throw ValidationError("\(name): expected a positive number, got \(value)")
        }
        guard model.isEmpty || data != nil else {
            throw ValidationError("--model needs --data: sentences to translate")
        }
    }

    func run() throws {
        try InstructionSet.checkEnvironment()
        if let data, !model.isEmpty {
            let models = WholeModels(
                directories: model.map { URL(fileURLWithPath: $0) }, text: URL(fileURLWithPath: data),
                sentences: sentences, length: length, batches: batch, repetitions: repetitions ?? 3)
            try show(try models.run()) { table($0) }
            return
        }
        let repetitions = repetitions ?? 15
        let blas = OpenBLAS()
        let before = loadAverage()
        var cases = Cases(blas: blas, only: only, repetitions: repetitions)
        try cases.run()
        guard !cases.records.isEmpty else {
            throw ValidationError("--only: no case or kernel is called '\(only ?? "")'")
        }
        let report = Report(
            instructions: InstructionSet.best.description, openBLAS: blas?.configuration, loadBefore: before,
            loadAfter: loadAverage(), clock: "thread CPU time, medians of \(repetitions)",
            records: cases.records)
        try show(report, table)
    }

    private func show<Result: Encodable>(_ result: Result, _ text: (Result) -> String) throws {
        guard json else { return print(text(result)) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        print(String(decoding: try encoder.encode(result), as: UTF8.self))
    }
}

/// The report as aligned columns.
func table(_ report: Report) -> String {
    func number(_ value: Double?, _ digits: Int = 2) -> String {
        guard let value else { return "-" }
        return String(format: "%.\(digits)f", value)
    }
    var lines = [
        [
            "case", "kernel", "rows", "columns", "tokens", "us", "quartiles", "GFLOP/s", "GB/s", "x BLAS",
            "x FP32",
            "of read", "target",
        ]
    ]
    for r in report.records {
        lines.append([
            r.name, r.kernel, "\(r.rows)", "\(r.columns)", "\(r.tokens)", number(r.seconds.median * 1e6),
            "\(number(r.seconds.lowerQuartile * 1e6, 1))-\(number(r.seconds.upperQuartile * 1e6, 1))",
            number(r.gigaflops, 1), number(r.gigabytesPerSecond, 1), number(r.overOpenBLAS),
            number(r.overFP32),
            number(r.ofReadBandwidth), number(r.target),
        ])
    }
    let body = aligned(lines, left: 2)
    let load = [report.loadBefore, report.loadAfter].map { number($0, 1) }.joined(separator: " to ")
    let head = "\(report.instructions); \(report.openBLAS ?? "no OpenBLAS"); \(report.clock); load \(load)"
    return ([head] + body).joined(separator: "\n")
}

/// Cells as aligned columns, the first `left` of them to the left.
func aligned(_ lines: [[String]], left: Int) -> [String] {
    let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    return lines.map { line in
        line.enumerated().map { column, text in
            let space = String(repeating: " ", count: widths[column] - text.count)
            return column < left ? text + space : space + text
        }.joined(separator: "  ")
    }
}
