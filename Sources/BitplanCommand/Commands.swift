import ArgumentParser
import BitplanEncoding
import BitplanModels
import BitplanReporting
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Encodes a model as a plan says and writes a packed directory.")

    @OptionGroup var model: ModelArguments
    @OptionGroup var plans: PlanOptions
    @Option(parsing: .upToNextOption, help: "Text for calibrated codes and token frequencies.") var data:
        [String] = []
    @Option(help: "Use only the first items of the data.") var limit: Int?
    @OptionGroup var windows: WindowOptions
    @OptionGroup var language: LanguageOptions
    @OptionGroup var storage: StoreOptions
    @Option(help: "Packed directory to write.") var output: String
    @Flag(help: "Print JSON.") var json = false

    struct Result: Encodable {
        let bytes: Int
        let fullPrecisionBytes: Int
        /// Bytes of the model's own file, where it has integers already.
        let shippedBytes: Int?
        let output: String
    }

    func run() throws {
        try reporting {
            let directory = try model.place
            func run<F: ModelFamily>(_ family: F.Type) throws {
                let text =
                    data.isEmpty
                    ? nil
                    : DataSource(
                        files: data.map { URL(path: $0) }, limit: limit, windows: windows.windows)
                let chosen = try chosenPlan(of: family, directory, hasText: text != nil)
                let bytes: Int
                do {
                    bytes = try naming(plans.plan.map { URL(path: $0) } ?? directory) {
                        try BitplanWorkflows.quantize(
                            family, model: directory, plan: chosen, text: text, to: URL(path: output),
                            languages: language.languages, store: text == nil ? nil : try storage.open(),
                            note: writeNote)
                    }
                } catch let error as MissingText {
                    throw UsageError("\(error): give it with --data")
                }
                let model = try Model<F>(directory: directory)
                let full = model.layout.fullPrecisionBytes
                let shipped = model.checkpoint.integerFileBytes
                try printResult(
                    Result(bytes: bytes, fullPrecisionBytes: full, shippedBytes: shipped, output: output),
                    asJSON: json,
                    "\(output): \(grouped(bytes)) bytes, \(fixed(Double(full) / Double(bytes), 2))x smaller than FP32"
                        + (shipped.map {
                            ", \(fixed(Double($0) / Double(bytes), 2))x smaller than the model's file of integers (\(grouped($0)) bytes)"
                        } ?? ""))
            }
            try run(try Families.family(of: directory))
        }
    }
}

extension Quantize {
    /// The plan that is asked for; with `--fit stored` the one that lies beside the codes.
    private func chosenPlan<F: ModelFamily>(
        of family: F.Type, _ directory: URL, hasText: Bool
    ) throws -> Plan {
        guard plans.fit == .stored else { return try plans.plan(of: family, directory, hasText: hasText) }
        guard plans.plan == nil, plans.preset == nil, !hasText else {
            throw UsageError(
                "--fit stored packs codes by the plan beside them: expected no --plan, --preset and --data")
        }
        return try StoredCodes<F>(directory: directory).plan
    }
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answers standard input line by line: translations, labels or text.",
        discussion: """
            Lines are answered in their order, as soon as no other is waiting or a batch is full. A line that cannot be answered ends the \
            command with an error that says which; the lines before it are answered.
            """)

    @OptionGroup var model: ModelArguments
    @OptionGroup var task: TaskArguments
    @OptionGroup var shortlist: ShortlistOption
    @Flag(help: "Print JSON, one object a line.") var json = false

    func run() throws {
        try reporting {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            func run<F: ModelFamily>(_ family: F.Type) throws {
                let options = shortlist.adding(to: task.options)
                try BitplanWorkflows.run(family, model: try model.place, options: options) { lines in
                    // Written at once: who reads the other end of a pipe gets every answer as soon as it is
                    // known.
                    try writeOutput(
                        try lines.map { line in
                            (json ? String(decoding: try encoder.encode(line), as: UTF8.self) : line.output)
                                + "\n"
                        }.joined())
                }
            }
            try run(try Families.family(of: try model.place))
        }
    }
}

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Prints a model's sublayers, their sizes, and the identity that a plan names; of a packed model, what lies where in its file."
    )

    @OptionGroup var model: ModelArguments
    @Flag(help: "Print JSON.") var json = false

    struct Result: Encodable {
        let model: ModelIdentity
        let layout: ModelLayout
        let fullPrecisionBytes: Int
        /// Bytes of the model's own file, where it has integers already.
        let shippedBytes: Int?
    }

    func run() throws {
        try reporting {
            func run<F: ModelFamily>(_ family: F.Type) throws {
                let directory = try model.place
                guard try !PackedModel<F>.isPacked(directory) else {
                    let result = try PackedContents(family, directory)
                    return try printResult(result, asJSON: json, text(result))
                }
                let model = try Model<F>(directory: directory)
                let result = Result(
                    model: try model.identity(), layout: model.layout,
                    fullPrecisionBytes: model.layout.fullPrecisionBytes,
                    shippedBytes: model.checkpoint.integerFileBytes)
                var table = MarkdownTable(["sublayer", "matrices", "weights"])
                for sublayer in model.layout.sublayers {
                    table.add([
                        sublayer.name.description, "\(sublayer.matrices.count)", grouped(sublayer.count),
                    ])
                }
                try printResult(
                    result, asJSON: json,
                    "\(result.model.type) \(result.model.sha256)\n\(grouped(model.layout.parameterCount)) weights, "
                        + "\(grouped(result.fullPrecisionBytes)) bytes as FP32, "
                        + (result.shippedBytes.map { "\(grouped($0)) in its file of integers, " } ?? "")
                        + "\(grouped(model.layout.fixedParameters)) "
                        + "weights in constant vectors, which a packed file does not store\n\n" + table.text)
            }
            try run(try Families.family(of: try model.place))
        }
    }

    private func text(_ contents: PackedContents) -> String {
        var table = MarkdownTable(["file", "bytes"])
        for (name, bytes) in contents.files.sorted(by: { $0.key < $1.key }) {
            table.add([name, grouped(bytes)])
        }
        table.add(["all", grouped(contents.directoryBytes)])
        return "\(contents.plan): \(grouped(contents.bytes)) bytes of weights, "
            + "\(fixed(Double(contents.fullPrecisionBytes) / Double(contents.bytes), 2))x smaller than FP32; "
            + "\(grouped(contents.parts.count)) parts\n\n" + table.text
    }
}
