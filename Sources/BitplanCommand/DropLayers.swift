import ArgumentParser
import BitplanModels
import BitplanReporting
import BitplanTensors
import BitplanWorkflows
import Foundation

struct DropLayers: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a model with only some of its layers, in full precision.",
        discussion: """
            For compressions that drop layers before they quantize the others: SensiMix(2+1) of a model of six layers is \
            drop-layers --keep 0..2, then quantize --preset sensimix:2+1.
            """)

    @Argument(help: "Model directory.") var model: String
    @Option(help: "Layers that stay, from 0, e.g. 0..2,5.") var keep: LayerList
    @Option(help: "Model directory to write.") var output: String
    @Flag(help: "Print JSON.") var json = false

    struct Result: Encodable {
        let layers: [Int]
        let fullPrecisionBytes: Int
        let output: String
    }

    func run() throws {
        try reporting {
            func run<F: ModelFamily>(_ family: F.Type) throws {
                let layout = try dropLayers(
                    family, model: URL(path: model), keeping: keep.numbers, to: URL(path: output))
                try printResult(
                    Result(
                        layers: keep.numbers, fullPrecisionBytes: layout.fullPrecisionBytes, output: output),
                    asJSON: json,
                    "\(output): \(keep.numbers.count) layers, \(grouped(layout.fullPrecisionBytes)) bytes as FP32"
                )
            }
            try run(try Families.family(of: URL(path: model)))
        }
    }
}

/// Layers as ranges and numbers: `0..2,5`.
package struct LayerList: ExpressibleByArgument {
    let numbers: [Int]

    /// Reads the text of an option.
    package init?(argument: String) {
        var numbers: [Int] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.components(separatedBy: "..").map { Int($0) }
            guard let first = ends[0], let last = ends[ends.count - 1], ends.count <= 2, first >= 0,
                first <= last, last - first < 10_000
            else { return nil }
            numbers += first...last
        }
        self.numbers = numbers
    }
}
