import BitplanExporting
import BitplanPlanning
import BitplanReporting
import BitplanTensors
import BitplanWorkflows
import Foundation

extension SensitivityTable {
    /// Reads a table that `sweep` or the command line wrote.
    ///
    /// - Throws: `BitplanError` where the file is something else, has another version, impossible shapes, or
    ///   lacks a cell.
    public init(contentsOf file: URL) throws(BitplanError) {
        self = try describingErrors { try readTable(file) }
    }

    /// Writes the table as JSON with sorted keys, all of it or nothing.
    public func write(to file: URL) throws(BitplanError) {
        try describingErrors { try JSONFile.write(self, to: file) }
    }

    /// The table as Markdown: a row a sublayer or kind, a column a scheme.
    public func renderMarkdown() -> String { markdown }

    /// The plan of least summed loss for a target, without measuring: what sublayers lose alone, added up,
    /// with the solver's proof.
    ///
    /// - Throws: `BitplanError` where nothing fits; it names the limit at fault and says by how much.
    public func plan(for target: Target) throws(BitplanError) -> Plan {
        try describingErrors { try additivePlan(self, target: try target.target()) }
    }

    /// A report of the table, its frontier, and a plan where there is one, as Markdown; pictures are written
    /// beside it.
    ///
    /// - Throws: `BitplanError` where the plan is for another model, or a file cannot be written.
    public func writeReport(named name: String, plan: Plan? = nil, to file: URL) throws(BitplanError) {
        try describingErrors { try ModelReport(name: name, self, plan: plan).write(to: file) }
    }

    /// The same report as one page of HTML that needs nothing beside it and no network, with a slider over
    /// the plans of the frontier.
    ///
    /// - Throws: as `writeReport(named:plan:to:)`.
    public func writePage(named name: String, plan: Plan? = nil, to file: URL) throws(BitplanError) {
        try describingErrors { try ModelReport(name: name, self, plan: plan).writePage(to: file) }
    }
}

extension Plan {
    /// Reads a plan file.
    ///
    /// - Throws: `BitplanError` that says where in the file something else was expected.
    public init(contentsOf file: URL) throws(BitplanError) {
        self = try describingErrors { try JSONFile.read(Plan.self, from: file) }
    }

    /// Writes the plan as JSON with sorted keys, all of it or nothing.
    public func write(to file: URL) throws(BitplanError) {
        try describingErrors { try JSONFile.write(self, to: file) }
    }

    /// The plan in another quantizer's own format.
    ///
    /// - Parameters:
    ///   - consumer: the other quantizer.
    ///   - layout: the layout of the model that the plan is for, which names the tensors.
    ///   - nearest: maps a scheme that the consumer does not have to the one with the fewest bits that are
    ///     not fewer, instead of an error.
    /// - Throws: `BitplanError` where the consumer does not know the model or cannot express what the plan
    ///   says.
    public func export(
        to consumer: Consumer, for layout: ModelLayout, nearest: Bool = false
    ) throws(BitplanError) -> PlanExport {
        try describingErrors { try export(layout, to: consumer, nearest: nearest) }
    }
}

/// Another quantizer that a plan can be written for.
public typealias Consumer = BitplanExporting.Consumer
/// A plan in another quantizer's own format.
public typealias PlanExport = BitplanExporting.PlanExport
