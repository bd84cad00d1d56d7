import ArgumentParser
import BitplanEncoding
import BitplanExporting
import BitplanModels
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

extension Consumer: ExpressibleByArgument {}

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a plan in another quantizer's own format.",
        discussion: """
            llama.cpp: llama-quantize --tensor-type-file FILE in.gguf out.gguf Q4_K_M (the base type has to be a quantized one). gptqmodel: \
            QuantizeConfig. coremltools: OptimizationConfig.from_yaml, names as ct.convert gives them. mlx: merge into config.json. \
            compressed-tensors: merge into config.json, or a recipe's config_groups. auto-round: layer_config. hqq: HqqConfig of transformers.

            What a consumer cannot express is an error that names scheme and sublayer; with --nearest it becomes what the consumer has with no \
            fewer bits, and standard error lists what was mapped. Plans hold no tensor names: they come from the model, or from the sensitivity table.
            """)

    @Argument(help: "Plan file, or a packed model directory.") var plan: String
    @Option(
        name: .customLong("to"),
        help: ArgumentHelp(
            "Consumer: \(Consumer.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "consumer"))
    var consumer: Consumer
    @Option(help: "Model directory that the plan is for.") var model: String?
    @Option(help: "Sensitivity table that the plan was made from, instead of the model.") var sweep: String?
    @Flag(help: "Map what the consumer does not have to what it has with no fewer bits.") var nearest = false
    @Option(help: "File to write; printed where not given.") var output: String?
    @Flag(help: "Print what becomes of every tensor as JSON.") var json = false

    struct Result: Encodable {
        struct Setting: Encodable {
            let tensor: String
            let name: String
            let setting: String
        }

        let consumer: String
        let settings: [Setting]
        let notes: [String]
    }

    func run() throws {
        try reporting {
            let file = URL(path: plan)
            try checkOutputs(
                [output].compactMap { $0.map { URL(path: $0) } },
                inputs: [plan, model, sweep].compactMap { $0.map { URL(path: $0) } })
            let (plan, layout) = try read(file)
            let export = try namingExport(file) { try plan.export(layout, to: consumer, nearest: nearest) }
            for note in export.notes { writeNote(note) }
            if let output { try AtomicWrite.file(export.text, to: URL(path: output)) }
            let result = Result(
                consumer: consumer.rawValue,
                settings: export.settings.map {
                    .init(tensor: $0.tensor, name: $0.name, setting: $0.setting)
                },
                notes: export.notes)
            if json {
                try writeOutput(String(decoding: try JSONFile.data(result), as: UTF8.self))
            } else if output == nil {
                try writeOutput(export.text)
            }
        }
    }

    /// The plan, and the layout of the model that it is for.
    private func read(_ file: URL) throws -> (Plan, ModelLayout) {
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: file.path, isDirectory: &isDirectory), isDirectory.boolValue
        {
            guard model == nil, sweep == nil else {
                throw UsageError(
                    "a packed directory names its own tensors: expected neither --model nor --sweep")
            }
            func packed<F: ModelFamily>(_ family: F.Type) throws -> (Plan, ModelLayout) {
                let packed = try PackedModel<F>(directory: file)
                return (packed.plan, packed.layout)
            }
            return try packed(try Families.family(of: file))
        }
        let plan = try JSONFile.read(Plan.self, from: file)
        switch (model, sweep) {
        case (let model?, nil):
            let directory = URL(path: model)
            func layout<F: ModelFamily>(_ family: F.Type) throws -> ModelLayout {
                let model = try Model<F>(directory: directory)
                try naming(file) { try plan.check(for: try model.identity()) }
                return model.layout
            }
            return (plan, try layout(try Families.family(of: directory)))
        case (nil, let sweep?):
            let table = try readTable(URL(path: sweep))
            try naming(file) { try plan.check(for: table.model) }
            return (plan, table.layout)
        default: throw UsageError("expected one of --model and --sweep, for the names of the tensors")
        }
    }

    /// An error of the export is reported with the file that the plan came from, and the option that helps.
    private func namingExport(_ file: URL, _ body: () throws -> PlanExport) throws -> PlanExport {
        do {
            return try body()
        } catch let error as ExportError {
            let help =
                switch error {
                case .inexpressible: "; --nearest takes what it has with no fewer bits"
                case .differsByDepth: "; --nearest gives all of them the most bits"
                case .plan, .unknownModel, .noPlace, .nothingToQuantize: ""
                }
            throw UsageError("\(file.path): \(error)\(help)")
        }
    }
}
