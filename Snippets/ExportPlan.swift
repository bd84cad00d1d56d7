// Plans from a table that was measured before, and writes the plan in another quantizer's format.
// usage: ExportPlan TABLE
import Bitplan
import Foundation

// snippet.hide
let paths = CommandLine.arguments.dropFirst().map { URL(fileURLWithPath: $0) }
guard paths.count == 1 else { fatalError("usage: ExportPlan TABLE") }
// snippet.show

let table = try SensitivityTable(contentsOf: paths[0])
let plan = try table.plan(for: Target(size: SizeTarget("8x")))
let export = try plan.export(to: .autoRound, for: table.layout, nearest: true)
print(export.text)
for note in export.notes { print("note: \(note)") }
