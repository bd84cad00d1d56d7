import ArgumentParser
import BitplanMeasurements
import BitplanReporting
import BitplanWorkflows
import Foundation

/// Where measurements are kept.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where measurements are kept, so that none is made twice; one file for the user where not given.",
            valueName: "file"))
    var store: String?

    @Flag(help: "Keep no measurements, and use none that were kept.")
    var noStore = false

    func validate() throws {
        if store != nil, noStore { throw ValidationError("--store and --no-store exclude each other") }
    }

    /// The store; nil where none is wanted, or where the user's own cannot be used, which is said and costs
    /// only time.
    func open() throws -> MeasurementStore? {
        if noStore { return nil }
        if let store { return try MeasurementStore(URL(path: store)) }
        do {
            return try MeasurementStore(MeasurementStore.defaultFile())
        } catch {
            writeErrorLine("\(error); going on without a store")
            return nil
        }
    }
}

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Shows, merges and prunes what has been measured.",
        subcommands: [StoreInfo.self, StoreMerge.self, StorePrune.self])
}

struct StoreInfo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Checks a measurement store and says what it holds.")

    @Argument(help: "Measurement store; the user's own where not given.") var store: String?
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        try reporting {
            let summary = try existingStore(store).summary()
            var table = MarkdownTable([
                "weights", "data", "codes", "encoded", "version", "cells", "items", "metrics", "under way",
            ])
            for entry in summary.experiments {
                table.add([
                    String(entry.weights.prefix(12)), String(entry.data.prefix(12)), entry.fit,
                    entry.encoding,
                    "\(entry.version)", grouped(entry.cells), grouped(entry.items), grouped(entry.metrics),
                    grouped(entry.claims),
                ])
            }
            try printResult(
                summary, asJSON: json,
                "\(summary.file): \(grouped(summary.bytes)) bytes, schema \(summary.schema), own outputs of models on \(grouped(summary.ownOutputs)) data sets\n\n"
                    + table.text)
        }
    }
}

struct StoreMerge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Adds what other stores hold to the first one; of a cell in several the longest stays.")

    @Argument(help: "Measurement store that the others are added to.") var store: String
    @Argument(help: "Stores that are added.") var others: [String]
    @Option(help: "Store to write instead of changing the first one.") var output: String?
    @Flag(help: "Print JSON.") var json = false

    struct Result: Encodable {
        let output: String
        let merged: [MeasurementStore.MergeResult]
    }

    func run() throws {
        try reporting {
            let others = try others.map { try existingStore($0) }
            var target = try existingStore(store)
            // Nothing is written where one of them is damaged.
            for store in [target] + others { try store.check() }
            if let output {
                try target.copy(to: URL(path: output))
                target = try MeasurementStore(URL(path: output))
            }
            let merged = try others.map { try target.merge($0) }
            let lines = zip(others, merged).map { other, result in
                "\(other.file.path): \(result.cells) cells, \(result.longer) with more items, \(result.metrics) metrics, \(result.ownOutputs) sets of own outputs"
                    + (result.different > 0
                        ? "; \(result.different) cells differ, the first store's stay" : "")
            }
            try printResult(
                Result(output: target.file.path, merged: merged), asJSON: json, lines.joined(separator: "\n"))
        }
    }
}

struct StorePrune: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Removes what older versions of bitplan measured: this one never asks for it.")

    @Argument(help: "Measurement store; the user's own where not given.") var store: String?
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        try reporting {
            let store = try existingStore(store)
            let result = try store.prune()
            try printResult(
                result, asJSON: json,
                "\(store.file.path): \(grouped(result.experiments)) experiments removed, with \(grouped(result.cells)) cells and "
                    + "\(grouped(result.metrics)) metrics; \(grouped(result.ownOutputs)) sets of own outputs")
        }
    }
}

/// Opens a store that must be there; the user's own where no path is given.
private func existingStore(_ path: String?) throws -> MeasurementStore {
    let file = path.map { URL(path: $0) } ?? MeasurementStore.defaultFile()
    guard FileManager.default.fileExists(atPath: file.path) else {
        throw UsageError("\(file.path): no such file")
    }
    return try MeasurementStore(file)
}
