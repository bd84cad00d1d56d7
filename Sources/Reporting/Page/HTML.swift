/// One paragraph of a report's text as HTML: what stands between backticks is code, nothing else is markup.
func paragraph(_ text: String) -> String {
    let parts = text.split(separator: "`", omittingEmptySubsequences: false)
    // Without a partner a backtick is a backtick.
    guard parts.count % 2 == 1 else { return "<p>\(text.markupEscaped)</p>\n" }
    let pieces = parts.enumerated().map { index, part in
        let escaped = String(part).markupEscaped
        return index % 2 == 1 ? "<code>\(escaped)</code>" : escaped
    }
    return "<p>\(pieces.joined())</p>\n"
}

extension MarkdownTable {
    /// What a field has beside its text.
    struct Decoration {
        /// The field's colour, `#rrggbb`.
        let colour: String
        /// What a frame around the field means, for those who do not see it; nil without one.
        let frameMeaning: String?
    }

    /// The table as HTML, in a box that scrolls sideways where the page is narrow.
    ///
    /// - Parameters:
    ///   - caption: what the table shows.
    ///   - isCaptionHidden: whether only screen readers get the caption, because a heading says it too.
    ///   - decoration: by row and column, what a field has beside its text.
    func html(
        caption: String, isCaptionHidden: Bool = false,
        decoration: (_ row: Int, _ column: Int) -> Decoration? = { _, _ in nil }
    ) -> String {
        let heads = header.map { "<th scope=\"col\">\($0.markupEscaped)</th>" }.joined()
        var body = ""
        for (index, row) in rows.enumerated() {
            let fields = row.enumerated().map { column, text in
                column == 0
                    ? "<th scope=\"row\">\(emphasized(text))</th>" : field(text, decoration(index, column))
            }
            body += "<tr>\(fields.joined())</tr>\n"
        }
        return """
            \(scrollBox(caption))
            <table><caption\(isCaptionHidden ? " class=\"hidden\"" : "")>\(caption.markupEscaped)</caption>
            <thead><tr>\(heads)</tr></thead>
            <tbody>
            \(body)</tbody></table></div>

            """
    }

    private func field(_ text: String, _ decoration: Decoration?) -> String {
        guard let decoration, !text.isEmpty else { return "<td>\(text.markupEscaped)</td>" }
        let colours = "background:\(decoration.colour);color:\(Palette.ink(on: decoration.colour))"
        let frame = decoration.frameMeaning.map { "<span class=\"hidden\">, \($0.markupEscaped)</span>" }
        return "<td class=\"field\(frame == nil ? "" : " framed")\" style=\"\(colours)\">"
            + "\(text.markupEscaped)\(frame ?? "")</td>"
    }

    /// Text between pairs of asterisks is strong, as in Markdown.
    private func emphasized(_ text: String) -> String {
        guard text.count > 4, text.hasPrefix("**"), text.hasSuffix("**") else { return text.markupEscaped }
        return "<strong>\(String(text.dropFirst(2).dropLast(2)).markupEscaped)</strong>"
    }
}

/// What stands behind a line that opens it, by the keyboard too.
func disclosure(_ summary: String, _ body: String) -> String {
    "<details><summary>\(summary.markupEscaped)</summary>\n\(body)</details>\n"
}

extension SublayerMatrices {
    /// The matrices behind the sublayer's name, bits and bytes.
    var html: String {
        let summary = "\(name): \(together[0]), \(together[1]) bits a weight, \(together[2]) bytes"
        return disclosure(summary, table.html(caption: "Matrices of \(name)", isCaptionHidden: true))
    }
}

/// The start of a box that scrolls sideways, by the keyboard too.
func scrollBox(_ label: String) -> String {
    "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"\(label.markupEscaped)\">"
}
