/// A table of texts: as Markdown that GitHub renders, columns padded so that the text reads well too, and as
/// HTML (`html(caption:)`).
package struct MarkdownTable: Sendable {
    /// The column heads.
    let header: [String]
    /// The cells of every row, as many as there are heads.
    private(set) var rows: [[String]] = []
    /// How many columns, from the first on, are aligned left.
    private let leftColumns: Int

    /// A table with these column heads; the first column, or as many as are said, are aligned left, the
    /// others right.
    package init(_ header: [String], leftColumns: Int = 1) {
        self.header = header
        self.leftColumns = leftColumns
    }

    /// Adds a row.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count == header.count, "a row has as many cells as the header")
        rows.append(cells)
    }

    /// The Markdown text, a line feed at the end of every line; vertical bars in rows are escaped.
    package var text: String {
        let rows = rows.map { row in
            row.map { $0.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|") }
        }
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        func line(_ cells: [String]) -> String {
            let padded = zip(cells, widths).enumerated().map { column, cell in
                let padding = String(repeating: " ", count: max(cell.1, 3) - cell.0.count)
                return column < leftColumns ? cell.0 + padding : padding + cell.0
            }
            return "| " + padded.joined(separator: " | ") + " |\n"
        }
        let rule = widths.enumerated().map { column, width in
            let dashes = String(repeating: "-", count: max(width, 3))
            return column < leftColumns ? dashes : String(dashes.dropLast()) + ":"
        }
        return line(header) + "| " + rule.joined(separator: " | ") + " |\n" + rows.map(line).joined()
    }
}
