import BitplanWorkflows
import Foundation
import TestSupport
import Testing

/// The table of models that are read.
@Suite struct FamiliesTests {
    /// Every type of every family has a row, and no other; nothing in a row is empty.
    @Test func everyFamilyIsInTheTable() throws {
        let text = try Program.succeed(["families"]).text
        let rows = text.split(separator: "\n").map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        #expect(rows.first == ["family", "model_type", "published checkpoints", "tasks", "lacks"])
        let types = rows.dropFirst(2).map { [$0[0], $0[1]] }
        #expect(
            types
                == Families.all.flatMap { family in family.published.map { [family.modelType, $0.modelType] }
                })
        for family in Families.all {
            #expect(Set(family.published.map(\.modelType)) == Set(family.modelTypes), "\(family)")
            #expect(family.modelTypes.contains(family.modelType))
        }
        for row in rows.dropFirst(2) { #expect(row.count == 5 && !row.contains(""), "\(row)") }
        let all = Families.all.flatMap { $0.modelTypes }
        #expect(Set(all).count == all.count, "no type is read by two families")
    }

    @Test func asJSON() throws {
        let data = try Program.succeed(["families", "--json"]).output
        let rows = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
        #expect(rows.map { $0["family"] as? String } == Families.all.map { $0.modelType })
    }

    /// A type that no family reads is refused by its name.
    @Test func otherTypes() throws {
        let workspace = try Workspace()
        for type in ["gemma", "gemma3", "qwen3_moe", "albert"] {
            let model = try workspace.write(#"{"model_type": "\#(type)"}"#, to: "\(type)/config.json")
            let outcome = try Program.bitplan(["inspect", model.deletingLastPathComponent().path])
            #expect(outcome.status == 1 && outcome.errorLines.count == 1)
            #expect(
                outcome.error.contains("model_type '\(type)' is not supported: expected one of bert, "),
                "\(outcome.error)")
        }
    }
}
