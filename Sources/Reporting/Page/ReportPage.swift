import PlanFormat

extension ModelReport {
    /// How many points of the frontier the page wants to have schemes.
    package static func pageListing(of layout: ModelLayout) -> Int {
        PlanExplorer.capacity(sublayers: layout.sublayers.count)
    }

    /// The report as one page of HTML that needs nothing beside it and no network: the numbers of the
    /// Markdown, and a slider over the plans of the frontier that list their schemes. `#point=N` in its
    /// address opens it at the Nth of them.
    ///
    /// - Throws: `PlanError` where the plan does not fit the table's model.
    package func page() throws(PlanError) -> String {
        let sections = try sections()
        let contents = sections.map { "<a href=\"#\($0.id)\">\($0.title.markupEscaped)</a>" }
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
            style-src 'unsafe-inline'; script-src 'unsafe-inline'">
            <link rel="icon" href="data:,">
            <title>\(name.markupEscaped)</title>
            <style>
            \(text(PackageResources.page_css))</style>
            </head>
            <body>
            <a class="skip" href="#main">Skip to the report</a>
            <header>
            <h1>\(name.markupEscaped)</h1>
            <p class="note">\(sensitivity.model.type.markupEscaped), weights \
            \(String(sensitivity.model.sha256.prefix(12)).markupEscaped), \
            \(grouped(sensitivity.layout.fullPrecisionBytes)) bytes in FP32</p>
            <nav aria-label="Sections">\(contents.joined(separator: "\n"))</nav>
            </header>
            <main id="main">
            \(sections.map(\.html).joined())</main>
            <script>
            \(text(PackageResources.page_js))</script>
            </body>
            </html>

            """
    }

    /// The chosen plan among those beside the frontier.
    var chosen: FrontierTable.PlanPoint? { frontier.plans.first { $0.kind == .chosen } }

    private struct Section {
        let id: String
        let title: String
        let body: String

        var html: String {
            """
            <section aria-labelledby="\(id)">
            <h2 id="\(id)">\(title.markupEscaped)</h2>
            \(body)</section>

            """
        }
    }

    /// The parts that there are, in the Markdown's order but for the frontier, which comes first of what
    /// concerns one plan.
    private func sections() throws(PlanError) -> [Section] {
        var sections: [Section] = []
        if let comparison {
            sections.append(
                Section(
                    id: "comparison", title: "Comparison",
                    body: paragraph(introduction(comparison))
                        + comparison.table.html(caption: "Models beside each other", isCaptionHidden: true)
                        + paragraph(metricNote(comparison))
                        + (weightNote(comparison).map(paragraph) ?? "")))
        }
        if sensitivity.proxy == nil {
            let explorer = try PlanExplorer(self)
            sections.append(
                Section(
                    id: "frontier", title: "Frontier",
                    body: paragraph(frontier.extentText) + (explorer?.html ?? frontier.plotSVG)
                        + frontier.plansTable.html(caption: "Plans beside the frontier")))
        }
        if let plan { sections += try planSections(plan) }
        if sensitivity.proxy == nil, let prices = frontier.prices {
            sections.append(
                Section(id: "why", title: "Why these bits", body: pricesHTML(prices)))
        }
        sections.append(
            Section(id: "sensitivity", title: "Sensitivity", body: try sensitivityHTML()))
        return sections
    }

    private func planSections(_ plan: Plan) throws(PlanError) -> [Section] {
        var sections = [
            Section(
                id: "plan", title: "Plan",
                body: try plan.bitsTable(of: sensitivity.layout, listsMatrices: false).html(
                    caption: "Scheme of every sublayer by kind and depth")
                    + (isOfMatrices ? paragraph(Self.mixedNote) : "")
                    + "<figure>\(scrollBox("Bits by depth"))\(try plan.bitsSVG(of: sensitivity.layout))</div>"
                    + "<figcaption>Bits of every sublayer by depth; the table above has them as text."
                    + "</figcaption></figure>\n"
                    + (try plan.matrices(of: sensitivity).map(\.html).joined())
                    + (plan.isMeasured ? "" : notes(on: plan).map(paragraph).joined()))
        ]
        if plan.isMeasured {
            let table = plan.measuredTable(
                metricName: sensitivity.metricName, fullPrecisionBytes: sensitivity.layout.fullPrecisionBytes)
            sections.append(
                Section(
                    id: "measured", title: "Plans measured on the planning data",
                    body: notes(on: plan).map(paragraph).joined()
                        + table.html(caption: "Plans measured on the planning data", isCaptionHidden: true)))
        }
        if plan.rounds?.isEmpty == false {
            sections.append(
                Section(
                    id: "rounds", title: "Planning in context",
                    body: paragraph(Self.roundsNote)
                        + plan.roundsTable.html(
                            caption: "Rounds: predicted and measured", isCaptionHidden: true)))
        }
        return sections
    }

    private func pricesHTML(_ prices: PlanPrices) -> String {
        var text = paragraph(prices.introduction)
        let steps = prices.stepsTable.html(caption: "What one step less and one step more would change")
        text += isOfMatrices ? disclosure("Steps of every matrix", steps) : steps
        text += paragraph(prices.nearTiesText)
        guard prices.exchangeCount > 0 else { return text }
        return text + paragraph(prices.exchangesText)
            + prices.exchangesTable.html(caption: "Exchanges that the noise leaves open")
    }

    /// The tables of the sweep, the losses of single sublayers first and as a map: a field's colour is its
    /// loss on a logarithmic scale.
    private func sensitivityHTML() throws(PlanError) -> String {
        var text = sensitivity.proxy == nil ? "" : paragraph(Self.unmeasuredNote)
        for part in sensitivity.introduction.split(separator: "\n\n") { text += paragraph(String(part)) }
        var tables = sensitivity.tables
        guard let map = tables.popLast() else { return text }
        var body = map.note.isEmpty ? "" : paragraph(map.note)
        body += paragraph(
            "Colour: from \(klText(lossRange.lowerBound)) (dark) to \(klText(lossRange.upperBound)) (bright)"
                + " on a logarithmic scale\(plan == nil ? "." : "; framed: what the plan has.")")
        body += map.table.html(
            caption: map.title, isCaptionHidden: true, decoration: try mapDecoration(map.table))
        // Sublayers stand open; matrices, where they were measured, are inside.
        if map.isOfMatrices, let place = tables.lastIndex(where: { !$0.isOfMatrices }) {
            let sums = tables.remove(at: place)
            text += "<h3>\(sums.title.markupEscaped)</h3>\n" + paragraph(sums.note)
            text += sums.table.html(caption: sums.title, isCaptionHidden: true)
            text += disclosure(map.title, body)
        } else {
            text += "<h3>\(map.title.markupEscaped)</h3>\n" + body
        }
        for part in tables {
            text += disclosure(part.title, part.table.html(caption: part.title, isCaptionHidden: true))
        }
        return text
    }

    /// The cells of sublayers with matrices.
    private var matrixCells: [SensitivityCell] {
        sensitivity.bySublayer.filter { sensitivity.candidates.contains($0.scheme) }
    }

    private var lossAxis: Axis {
        Axis(.logarithmic, over: matrixCells.map(\.measurement.klNats), from: 0, to: 1)
    }

    /// The least and the greatest loss of a sublayer, in the unit of the map's numbers.
    private var lossRange: ClosedRange<Double> {
        let factor: Double = sensitivity.proxy == nil ? 1000 : 1
        let losses = matrixCells.map { factor * $0.measurement.klNats }.filter { $0 > 0 }
        return (losses.min() ?? 0)...(losses.max() ?? 0)
    }

    /// The colour of every field of the map, and a frame around what the plan has.
    private func mapDecoration(_ table: MarkdownTable) throws(PlanError) -> (Int, Int) -> MarkdownTable
        .Decoration?
    {
        let axis = lossAxis
        let schemes = Array(sensitivity.candidates.reversed())
        var chosen: [String: Scheme] = [:]
        if let plan {
            for (sublayer, scheme) in zip(
                sensitivity.layout.sublayers, try plan.schemes(of: sensitivity.layout))
            {
                chosen[sublayer.name.description] = scheme
            }
        }
        let cells = sensitivity.cellsByRow
        return { row, column in
            let name = table.rows[row][0]
            guard schemes.indices.contains(column - 1), let cell = cells[name]?[schemes[column - 1]] else {
                return nil
            }
            let loss = cell.measurement.klNats
            return MarkdownTable.Decoration(
                colour: loss > 0 ? Palette.scale(axis.share(loss)) : Palette.ink,
                frameMeaning: chosen[name] == cell.scheme ? "what the plan has" : nil)
        }
    }

    private func text(_ resource: [UInt8]) -> String { String(decoding: resource, as: UTF8.self) }
}
