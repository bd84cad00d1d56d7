import ArgumentParser
import BitplanModels
import BitplanReporting
import BitplanTensors
import BitplanWorkflows

struct FamiliesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "families",
        abstract: "Shows which models are read: a table in Markdown.",
        discussion: """
            A model is read by the model_type of its config.json; models of one family differ in settings and names alone. What a \
            model asks for and its family lacks is refused by its name. Of the checkpoints the configuration and the files are those that \
            are read; names are those under which they are published.
            """)

    @Flag(help: "Print JSON.") var json = false

    private struct Row: Encodable {
        let family: String
        let models: [PublishedModels]
    }

    func run() throws {
        try reporting {
            let rows = Families.all.map { Row(family: $0.modelType, models: $0.published) }
            var table = MarkdownTable(
                ["family", "model_type", "published checkpoints", "tasks", "lacks"], leftColumns: 5)
            for row in rows {
                for models in row.models {
                    table.add([row.family, models.modelType, models.checkpoints, models.tasks, models.lacks])
                }
            }
            try writeOutput(json ? String(decoding: try JSONFile.data(rows), as: UTF8.self) : table.text)
        }
    }
}
