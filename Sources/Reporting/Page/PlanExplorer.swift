import Foundation
import PlanFormat

/// The part of the page that shows one plan of the frontier at a time: the plot, a slider over the exact
/// plans, and what each of them makes of every sublayer.
///
/// All numbers are texts that are made here, by the functions that make those of the Markdown; `page.js` only
/// puts them in their places.
struct PlanExplorer {
    private let report: ModelReport
    private let frontier: FrontierTable
    private let table: SensitivityTable
    private let plot: (svg: String, places: [(x: Double, y: Double)])
    /// Indices of the frontier's points that the slider has: those that list the schemes of all sublayers.
    private let stops: [Int]
    /// The schemes that sublayers have in any of the plans.
    private let schemes: [Scheme]
    /// By sublayer and scheme, what the page shows; nil where the table has no such cell.
    private let cells: [[Cell?]]
    /// What the written plan makes of each sublayer, where there is one.
    private let written: [Scheme]?

    /// A sublayer under a scheme, as the page shows it.
    private struct Cell: Encodable {
        /// Bits per weight, scales included; empty where the sublayer has no weights.
        let bits: String
        /// The length of the bar in thousandths of the longest.
        let length: Int
        let colour: String
        let bytes: String
        let loss: String
    }

    /// What `page.js` reads. Lists over the plans are in the order of the slider.
    private struct Data: Encodable {
        let bytes: [String]
        let compression: [String]
        let loss: [String]
        /// Where the plan lies in the plot, in its pixels.
        let x: [Double]
        let y: [Double]
        /// By plan and sublayer, the index of the scheme.
        let choices: [[Int]]
        let schemes: [String]
        let sublayers: [String]
        let cells: [[Cell?]]
    }

    /// How many plans the slider has at most: about a megabyte of text, at some 60 characters for a plan's
    /// numbers and 2 for the scheme of each of its sublayers.
    static func capacity(sublayers: Int) -> Int { 1_000_000 / (60 + 2 * sublayers) }

    /// The explorer of a report; nil where no point of its frontier lists its schemes.
    ///
    /// - Throws: `PlanError` where the plan does not fit the table's model.
    init?(_ report: ModelReport) throws(PlanError) {
        let (frontier, table) = (report.frontier, report.sensitivity)
        let names = table.layout.sublayers.map(\.name.description)
        stops = frontier.points.indices.filter { index in
            guard let listed = frontier.points[index].sublayers else { return false }
            return names.allSatisfy { listed[$0] != nil }
        }
        guard !stops.isEmpty else { return nil }
        self.report = report
        self.frontier = frontier
        self.table = table
        plot = frontier.plot
        written = try report.plan?.schemes(of: table.layout)
        let used = Set(stops.flatMap { frontier.points[$0].sublayers.map { Array($0.values) } ?? [] })
        let schemes =
            table.candidates.filter(used.contains)
            + used.subtracting(table.candidates).sorted { $0.description < $1.description }
        self.schemes = schemes
        let measured = table.cellsByRow
        let found = table.layout.sublayers.map { sublayer in
            schemes.map { scheme in
                measured[sublayer.name.description]?[scheme].map { cell in
                    (cell, sublayer.count > 0 ? 8 * Double(cell.bytes) / Double(sublayer.count) : 0)
                }
            }
        }
        let most = max(1, found.joined().compactMap { $0?.1 }.max() ?? 1)
        cells = found.map { row in
            row.map { entry in
                entry.map { cell, bits in
                    Cell(
                        bits: bits > 0 ? fixed(bits, 2) : "", length: Int(1000 * bits / most),
                        colour: Palette.bits(bits / most), bytes: grouped(cell.bytes),
                        loss: table.lossText(cell))
                }
            }
        }
    }

    /// The explorer as HTML, its data included; it shows the plan that the slider starts at.
    var html: String {
        let start = startStop
        let point = frontier.points[stops[start]]
        return """
            <div class="explorer">
            <div class="pick">
            <figure>
            \(scrollBox("Plot of bytes against predicted loss"))<div class="plot">
            \(plot.svg)<svg class="here" viewBox="\(viewBox)" aria-hidden="true"><g id="here" \
            transform="\(place(stops[start]))"><circle r="9"/><circle r="2.5"/></g></svg>
            </div></div>
            <figcaption>The ring is the plan of the slider. The table “Plans beside the frontier” has the \
            numbers of all marks.</figcaption>
            </figure>
            <div class="control">
            <label for="point">\(stopsText)</label>
            <input type="range" id="point" min="1" max="\(stops.count)" value="\(start + 1)" \
            aria-valuetext="\(valueText(start))" aria-describedby="keys">
            <dl>
            <div><dt>bytes</dt><dd id="bytes">\(grouped(point.bytes))</dd></div>
            <div><dt>compression</dt><dd id="compression">\(compression(point))</dd></div>
            <div><dt id="loss-head">\(lossHead)</dt><dd id="loss">\(klText(point.klNats))</dd></div>
            <div><dt>plan</dt><dd><span id="number">\(grouped(start + 1))</span> of \
            \(grouped(stops.count))</dd></div>
            </dl>
            </div>
            <p id="change" aria-live="polite"></p>
            <nav aria-label="Plans to start from"><span>Go to:</span>
            \(links)</nav>
            <p class="note" id="keys">Arrow keys move by one plan, Page Up and Page Down by many, Home and \
            End to the ends. The page’s address keeps the plan.</p>
            </div>
            \(sublayersTable(start))</div>
            <script type="application/json" id="data">\(json)</script>

            """
    }

    private var lossHead: String { frontier.hasNats ? "predicted KL, nats" : "predicted loss" }

    private var stopsText: String {
        stops.count == frontier.points.count
            ? "All \(grouped(stops.count)) plans of the frontier, from the smallest to the largest"
            : "\(grouped(stops.count)) of the frontier’s \(grouped(frontier.points.count)) plans, evenly "
                + "spread, from the smallest to the largest"
    }

    /// The slider starts at the largest plan that is no larger than the written one, else at the knee.
    private var startStop: Int {
        if let bytes = report.chosen?.bytes, let stop = stop(atMost: bytes) { return stop }
        return frontier.knee.flatMap { stops.firstIndex(of: $0) } ?? stops.count / 2
    }

    private func stop(atMost bytes: Int) -> Int? {
        stops.lastIndex { frontier.points[$0].bytes <= bytes }
    }

    private func compression(_ point: FrontierTable.Point) -> String {
        compressionText(point.bytes, of: frontier.fullPrecisionBytes)
    }

    private func valueText(_ stop: Int) -> String {
        let point = frontier.points[stops[stop]]
        return "\(grouped(point.bytes)) bytes, \(compression(point)), \(lossHead) \(klText(point.klNats))"
    }

    private func place(_ point: Int) -> String {
        let place = plot.places[point]
        return "translate(\(tenth(place.x)) \(tenth(place.y)))"
    }

    /// Pixels to a tenth.
    private func tenth(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    private var viewBox: String {
        let (width, height) = PlanScatter.size
        return "0 0 \(fixed(width, 0)) \(fixed(height, 0))"
    }

    /// Links to plans that a reader may want to start from: the ends, the knee, and the least loss at the
    /// bytes of the plans beside the frontier.
    private var links: String {
        var links = [("smallest", 0)]
        if let knee = frontier.knee.flatMap({ stops.firstIndex(of: $0) }) { links.append(("knee", knee)) }
        let beside = frontier.plans.sorted {
            ($0.bytes, $0.origin.description) < ($1.bytes, $1.origin.description)
        }
        for plan in beside where plan.kind != .measured {
            guard let stop = stop(atMost: plan.bytes) else { continue }
            links.append(("bytes of \(plan.origin)", stop))
        }
        links.append(("largest", stops.count - 1))
        return links.map { "<a href=\"#point=\($0.1 + 1)\">\($0.0.markupEscaped)</a>" }
            .joined(separator: "\n")
    }

    private func choice(_ stop: Int) -> [Int] {
        let listed = frontier.points[stops[stop]].sublayers ?? [:]
        return table.layout.sublayers.map { sublayer in
            listed[sublayer.name.description].flatMap(schemes.firstIndex) ?? 0
        }
    }

    private func sublayersTable(_ start: Int) -> String {
        let caption =
            "Bits of every \(table.layout.unit) in the plan of the slider; marked: other than in the next smaller plan"
        let heads =
            ["\(table.layout.unit)", "bits per weight", "scheme"] + (written == nil ? [] : ["written plan"])
            + ["bytes", lossUnit]
        var rows = ""
        for (index, (sublayer, choice)) in zip(table.layout.sublayers, choice(start)).enumerated() {
            let cell = cells[index][choice]
            rows += "<tr><th scope=\"row\">\(sublayer.name.description.markupEscaped)</th>"
            rows += "<td class=\"bits\"><span class=\"bar\" aria-hidden=\"true\"><i style=\""
            rows += "width:\(fixed(Double(cell?.length ?? 0) / 10, 1))%;"
            rows += "background:\(cell?.colour ?? "transparent")\"></i></span> "
            rows += "<span>\(cell?.bits ?? "")</span></td><td class=\"scheme\">\(schemes[choice])</td>"
            rows += written.map { "<td class=\"written\">\($0[index])</td>" } ?? ""
            rows += "<td class=\"bytes\">\(cell?.bytes ?? "")</td>"
            rows += "<td class=\"loss\">\(cell?.loss ?? "")</td></tr>\n"
        }
        return """
            \(scrollBox(caption))
            <table id="sublayers"><caption>\(caption)</caption>
            <thead><tr>\(heads.map { "<th scope=\"col\">\($0)</th>" }.joined())</tr></thead>
            <tbody>
            \(rows)</tbody></table></div>

            """
    }

    private var lossUnit: String { frontier.hasNats ? "KL alone x 1000" : "loss alone" }

    /// The data, safe inside a script element: nothing in it ends the element or a line of JavaScript.
    private var json: String {
        let points = stops.map { frontier.points[$0] }
        let data = Data(
            bytes: points.map { grouped($0.bytes) }, compression: points.map(compression),
            loss: points.map { klText($0.klNats) }, x: stops.map { tenth(plot.places[$0].x) },
            y: stops.map { tenth(plot.places[$0].y) }, choices: stops.indices.map(choice),
            schemes: schemes.map(\.description),
            sublayers: table.layout.sublayers.map(\.name.description), cells: cells)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Texts and finite numbers: there is nothing that JSON cannot hold.
        let text = (try? encoder.encode(data)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
        return text.embeddedInScript
    }
}

extension String {
    /// JSON inside a script element of HTML: `<`, U+2028 and U+2029, which occur in strings only, escaped.
    ///
    /// - Source: HTML, "Restrictions for contents of script elements".
    var embeddedInScript: String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "<": result += "\\u003c"
            case "\u{2028}": result += "\\u2028"
            case "\u{2029}": result += "\\u2029"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
