import ArgumentParser
import BitplanModels
import BitplanReporting
import BitplanWorkflows
import Foundation
import PlanFormat

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Measures a model on data: the task's metrics, cross-entropy, KL, bytes, tokens per second, peak memory."
    )

    @OptionGroup var model: ModelArguments
    @OptionGroup var data: DataOptions
    @Option(help: "Full-precision model directory that KL is measured against.") var reference: String?
    @Option(
        help:
            "Another model directory, packed or not: how this one's KL and metric differ from its, item by item, with 95% intervals."
    )
    var against: String?
    @Option(help: "Items that are answered one at a time on one thread, for the seconds of one; 0 for none.")
    var timed = 16
    @Option(help: "Latency profile: what it predicts for these items stands beside what was measured.")
    var profile: String?
    @Flag(
        inversion: .prefixedNo,
        help:
            "With --reference, also measure KL on its own outputs (translation); it translates the data once for it."
    )
    var own = true
    @OptionGroup var task: TaskArguments
    @OptionGroup var shortlist: ShortlistOption
    @OptionGroup var storage: StoreOptions
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        try reporting {
            func run<F: ModelFamily>(_ family: F.Type) throws {
                let store = reference == nil ? nil : try storage.open()
                let result = try BitplanWorkflows.evaluate(
                    family,
                    EvaluationRequest(
                        model: model.place, reference: reference.map { URL(path: $0) },
                        other: against.map { URL(path: $0) }, source: data.source(),
                        options: shortlist.adding(to: task.options),
                        timed: timed, profile: profile.map { URL(path: $0) }, measuresOwn: own,
                        store: store?.file),
                    note: writeNote)
                try printResult(result, asJSON: json, text(result))
            }
            try run(try Families.family(of: model.place))
        }
    }

    private func text(_ result: Evaluation) -> String {
        var lines = result.metrics.sorted { $0.key < $1.key }.map {
            "\($0.key): \(metricText($0.value, of: $0.key))"
        }
        lines.append(
            result.signature.map { "signature: \($0)" }
                ?? "no metric was measured: the data have no references")
        // A sentence encoder has no right answers, and so no cross-entropy.
        if result.crossEntropy != 0 {
            lines.append("cross-entropy: \(fixed(result.crossEntropy, 5)) nats per prediction")
        }
        if let kl = result.kl {
            let remark = result.signature == nil ? ", on the full-precision model's own outputs" : ""
            lines.append("KL: \(klText(kl)) nats per prediction\(remark)")
        }
        if let kl = result.klOwn, result.signature != nil {
            lines.append(
                "KL on the full-precision model's own outputs: \(klText(kl)) nats per prediction")
        }
        if let against = result.against { lines += text(against, metric: metricName(result.signature)) }
        lines.append("items: \(result.sentences)")
        lines.append("bytes: \(grouped(result.bytes))")
        lines.append("tokens per second: \(fixed(result.tokensPerSecond, 0))")
        if let alone = result.alone {
            lines.append(
                "one at a time: \(milliseconds(alone.seconds)) ms (median of \(alone.sentences) items, "
                    + "\(fixed(alone.meanRead, 1)) tokens read and \(fixed(alone.meanPredictions, 1)) predicted on average, "
                    + "spread \(fixed(100 * alone.spread, 1))%)")
            if let predicted = alone.predictedSeconds {
                lines.append(
                    "predicted: \(milliseconds(predicted)) ms (\(signed(100 * (predicted / alone.seconds - 1), 1))%)"
                )
            }
        }
        lines.append("peak memory: \(grouped(result.peakMemoryBytes)) bytes")
        return lines.joined(separator: "\n")
    }

    private func text(_ against: PairedComparison, metric name: String) -> [String] {
        var lines: [String] = []
        if let kl = against.klNats {
            lines.append("KL against \(against.name): \(klDifferenceText(kl)) nats per prediction")
        }
        if let metric = against.metric {
            lines.append("\(name) against \(against.name): \(metricDifferenceText(metric, of: name))")
        }
        if against.items < PairedComparison.fewestItems {
            lines.append(
                "\(grouped(against.items)) items are few: intervals from fewer than "
                    + "\(PairedComparison.fewestItems) say little of other items")
        }
        return lines
    }
}
