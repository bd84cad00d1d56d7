import BitplanReporting
import Foundation
import PlanFormat
import Testing

/// The report as a page of HTML; that it works is tested in a browser (`CommandTests`).
@Suite struct PageTests {
    /// A frontier that raises one sublayer after the other to the next candidate; every point lists its
    /// schemes.
    private static func frontier(_ table: SensitivityTable, plan: Plan?, knee: Int? = 3) -> FrontierTable {
        let layout = table.layout
        var choice = [Int](repeating: 0, count: layout.sublayers.count)
        var points: [FrontierTable.Point] = []
        func append() {
            let schemes = choice.map { table.candidates[$0] }
            points.append(
                FrontierTable.Point(
                    bytes: layout.sizeInBytes(schemes), klNats: table.summedLoss(of: schemes) ?? 0,
                    sublayers: Dictionary(
                        uniqueKeysWithValues: zip(layout.sublayers.map(\.name.description), schemes))))
        }
        append()
        for level in 1..<table.candidates.count {
            for place in choice.indices {
                choice[place] = level
                append()
            }
        }
        return FrontierTable(
            model: table.model, provenance: table.provenance, fullPrecisionBytes: layout.fullPrecisionBytes,
            extent: .complete, points: points, knee: knee,
            plans: plan.map {
                [
                    FrontierTable.PlanPoint(
                        origin: $0.origin ?? .named("plan"), kind: .chosen, bytes: points[7].bytes + 1,
                        predictedKL: 0.25, measuredKL: 0.2, leastKL: points[7].klNats)
                ]
            } ?? [], prices: nil)
    }

    /// A report with all its parts.
    private static func report(
        name: String = "small", _ table: SensitivityTable = Examples.table(layers: 2)
    ) -> ModelReport {
        var plan = Examples.plan(table)
        plan.measured = [.init(origin: .inContext, bytes: 100, klNats: 0.123_456, metric: 23.456)]
        plan.overBudget = [.init(origin: .uniform(.bcq(4)), bytes: 200, klNats: 0.01, metric: nil)]
        plan.rounds = [.init(moves: 3, predictedKL: 0.2, measuredKL: 0.21, isAccepted: true)]
        let comparison = ComparisonTable(
            metric: "BLEU|a", sentences: 3, isHeldOut: true, budgetBytes: 500,
            rows: [
                .init(name: "full | precision", bytes: 1000, klNats: nil, metrics: ["bleu": 30]),
                .init(name: "plan", bytes: 400, klNats: 0.25, metrics: ["bleu": 29.5]),
            ])
        return ModelReport(
            name: name, sensitivity: table, frontier: frontier(table, plan: plan), plan: plan,
            comparison: comparison)
    }

    /// The text of every match's first group.
    private func matches(_ pattern: String, in text: String) throws -> [String] {
        let expression = try NSRegularExpression(
            pattern: pattern, options: [.dotMatchesLineSeparators])
        return expression.matches(in: text, range: NSRange(text.startIndex..., in: text)).compactMap {
            Range($0.range(at: 1), in: text).map { String(text[$0]) }
        }
    }

    private func withoutMarkup(_ html: String) -> String {
        var text = html.replacingOccurrences(
            of: "<span class=\"hidden\">[^<]*</span>", with: "", options: .regularExpression)
        text = text.replacingOccurrences(of: "<[^>]*>", with: "", options: .regularExpression)
        for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")] {
            text = text.replacingOccurrences(of: entity, with: character)
        }
        return text
    }

    /// Every row of every table of the Markdown, its heads included, stands on the page; sublayers with
    /// matrices of their own are the lines that open these.
    @Test(arguments: [[], ["q", "k"]])
    func numbersAreThoseOfTheMarkdown(parts: [String]) throws {
        let report = Self.report(Examples.table(layers: 2, parts: parts))
        let page = try report.page()
        let rows = try matches("<tr>(.*?)</tr>", in: page).map { row in
            try matches("<t[hd][^>]*>(.*?)</t[hd]>", in: row).map(withoutMarkup)
        }
        let shown = Set(rows)
        let markdown = try report.markdown(withFigures: false, listsMatrices: true)
        let expected = markdown.split(separator: "\n")
            .filter { $0.hasPrefix("| ") && !$0.hasPrefix("| ---") }
            .map { line in
                line.dropFirst(2).dropLast(2).replacingOccurrences(of: "\\|", with: "\u{0}")
                    .components(separatedBy: " | ").map {
                        $0.trimmingCharacters(in: .whitespaces).replacingOccurrences(of: "**", with: "")
                            .replacingOccurrences(of: "\u{0}", with: "|")
                    }
            }
        #expect(expected.count > 40)
        let wholes = Set(
            report.sensitivity.layout.sublayers.filter { $0.name.part != nil }.map(\.name.sublayer))
        #expect(wholes.count == (parts.isEmpty ? 0 : 10))
        for row in expected where !(wholes.contains(row[0]) && row.last == "") {
            #expect(shown.contains(row), "\(row)")
        }
        let summaries = try matches("<summary>(.*?)</summary>", in: page)
        for row in expected where wholes.contains(row[0]) && row.last == "" {
            let line = "\(row[0]): \(row[1]), \(row[2]) bits a weight, \(row[3]) bytes"
            #expect(summaries.count(where: { $0 == line }) == 1, "\(line)")
        }
        let text = withoutMarkup(page)
        for paragraph in markdown.split(separator: "\n")
        where !paragraph.hasPrefix("|") && !paragraph.hasPrefix("#") {
            #expect(text.contains(paragraph.replacingOccurrences(of: "`", with: "")), "\(paragraph)")
        }
    }

    /// What the slider's data say of a plan is what its schemes weigh and lose.
    @Test func plansOfTheSlider() throws {
        struct Plans: Decodable {
            struct Cell: Decodable { let bytes: String }
            let bytes: [String]
            let compression: [String]
            let loss: [String]
            let x: [Double]
            let y: [Double]
            let choices: [[Int]]
            let schemes: [String]
            let sublayers: [String]
            let cells: [[Cell?]]
        }
        let report = Self.report()
        let (page, layout) = (try report.page(), report.sensitivity.layout)
        let json = try matches("<script type=\"application/json\"[^>]*>(.*?)</script>", in: page)
        let plans = try JSONDecoder().decode(Plans.self, from: Data(try #require(json.first).utf8))
        let count = report.frontier.points.count
        #expect(count == 1 + 3 * layout.sublayers.count && plans.bytes.count == count)
        #expect(plans.x == plans.x.sorted() && plans.y == plans.y.sorted() && plans.x.count == count)
        #expect(plans.sublayers == layout.sublayers.map(\.name.description))
        for (index, choice) in plans.choices.enumerated() {
            let schemes = try choice.map { try #require(Scheme(plans.schemes[$0])) }
            let bytes = layout.sizeInBytes(schemes)
            #expect(plans.bytes[index] == grouped(bytes))
            #expect(
                plans.compression[index]
                    == fixed(Double(layout.fullPrecisionBytes) / Double(bytes), 2) + "x")
            #expect(plans.loss[index] == klText(try #require(report.sensitivity.summedLoss(of: schemes))))
            for (place, scheme) in choice.enumerated() {
                #expect(
                    plans.cells[place][scheme]?.bytes
                        == grouped(layout.sublayers[place].sizeInBytes(schemes[place])))
            }
        }
        // It starts at the largest plan that is no larger than the written one.
        #expect(page.contains("max=\"\(count)\" value=\"8\" aria-valuetext=\"\(plans.bytes[7]) bytes, "))
        #expect(page.contains("<dd id=\"bytes\">\(plans.bytes[7])</dd>"))
        #expect(page.contains("All \(count) plans of the frontier"))
        #expect(page.contains("<a href=\"#point=4\">knee</a>"))
    }

    /// What screen readers and keyboards need.
    @Test(arguments: [[], ["q", "k"]])
    func structure(parts: [String]) throws {
        let page = try Self.report(Examples.table(layers: 2, parts: parts)).page()
        #expect(page.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">") && page.hasSuffix("</html>\n"))
        let count = { (text: String) in page.components(separatedBy: text).count - 1 }
        #expect(count("<table") > 6 && count("<table") == count("<caption") && count("<main") == 1)
        #expect(count("<th") - count("<thead") == count("<th scope="))
        #expect(count("<svg") == count("role=\"img\"") + count("aria-hidden=\"true\"><g"))
        let ids = try matches(" id=\"([^\"]*)\"", in: page)
        #expect(Set(ids).count == ids.count, "\(ids)")
        for target in try matches("<a [^>]*href=\"#([^\"]*)\"", in: page) where !target.hasPrefix("point=") {
            #expect(ids.contains(target), "\(target)")
        }
        for attribute in ["for", "aria-labelledby", "aria-describedby"] {
            for target in try matches(" \(attribute)=\"([^\"]*)\"", in: page) {
                #expect(ids.contains(target), "\(target)")
            }
        }
        for element in [
            "table", "tr", "td", "th", "div", "section", "p", "dl", "dd", "figure", "nav", "svg", "details",
            "summary",
        ] {
            let opened = try matches("(<\(element)[ >])", in: page).count
            #expect(opened == count("</\(element)>"), "\(element)")
        }
    }

    /// Names end no element and start none, whatever they hold.
    @Test func hostileNamesAreText() throws {
        let name = "</script><img src=x onerror=alert(1)>\u{2028}\"'&\u{0}"
        let accent = "<\u{301}b>"
        let layout = ModelLayout(
            sublayers: [name, accent].map {
                SublayerShape(
                    name: SublayerName(SublayerKind(rawValue: $0.replacingOccurrences(of: ".", with: ""))),
                    matrices: [MatrixShape(tensor: "t", rows: 8, columns: 64)])
            }, fixedParameters: 0)
        let cells = layout.sublayers.flatMap { sublayer in
            [Scheme.bcq(1), .bcq(2)].enumerated().map { index, scheme in
                SensitivityCell(
                    row: sublayer.name.description, scheme: scheme, bytes: sublayer.sizeInBytes(scheme),
                    measurement: LossMeasurement(
                        klNats: 1 / Double(1 + index), standardError: nil, crossEntropyNats: 1, sentences: 2))
            }
        }
        let table = SensitivityTable(
            model: ModelIdentity(type: name, sha256: name), layout: layout,
            provenance: Provenance(tool: name, dataSHA256: "0", sentences: 2, metric: name), fit: .greedy,
            candidates: [.bcq(1), .bcq(2)],
            fullPrecision: LossMeasurement(klNats: 0, standardError: nil, crossEntropyNats: 1, sentences: 2),
            byType: [], bySublayer: cells)
        let plan = Plan(
            model: table.model, origin: .named(name), sublayers: ["*": .bcq(2)],
            measured: [.init(origin: .named(name), bytes: 1, klNats: 1, metric: nil)])
        let report = ModelReport(
            name: name, sensitivity: table, frontier: Self.frontier(table, plan: nil, knee: nil), plan: plan,
            comparison: ComparisonTable(
                metric: name, sentences: 2, isHeldOut: false, budgetBytes: nil,
                rows: [.init(name: name, bytes: 1, klNats: nil, metrics: [name: 1])]))
        let page = try report.page()
        #expect(page.components(separatedBy: "</script>").count == 3, "the data's end and the program's")
        #expect(!page.contains("<img") && page.contains("&lt;img src=x onerror=alert(1)&gt;"))
        #expect(!page.unicodeScalars.contains("\u{0}"))
        let json = try matches("<script type=\"application/json\"[^>]*>(.*?)</script>", in: page)
        #expect(json.count == 1 && json[0].unicodeScalars.allSatisfy { !["<", "\u{2028}"].contains($0) })
        let object = try JSONSerialization.jsonObject(with: Data(json[0].utf8)) as? [String: Any]
        #expect((object?["sublayers"] as? [String])?.last == accent)
        #expect(page.contains("&lt;\u{301}b&gt;") && !page.contains(accent), "escaped by scalars")
    }

    @Test func sameBytesAndNothingFromOutside() throws {
        let report = Self.report()
        let page = try report.page()
        #expect(try page == report.page())
        let inside = page.replacingOccurrences(of: "xmlns=\"http://www.w3.org/2000/svg\"", with: "")
        for outside in ["http:", "https:", "//cdn", " src=", "url(", "@import", "fetch(", "XMLHttpRequest"] {
            #expect(!inside.contains(outside), "\(outside)")
        }
        #expect(page.contains("default-src 'none'"))
    }

    /// Parts that are missing leave no trace; a plan for another model is an error.
    @Test func partsThatThereAre() throws {
        let table = Examples.table(layers: 1)
        var report = ModelReport(
            name: "n", sensitivity: table, frontier: Examples.frontier(), plan: nil, comparison: nil)
        var page = try report.page()
        #expect(!page.contains("type=\"range\""), "no point lists its schemes")
        #expect(page.contains("id=\"frontier\"") && !page.contains("id=\"plan\""))
        report.sensitivity.proxy = .output
        page = try report.page()
        #expect(!page.contains("id=\"frontier\"") && page.contains("no frontier and no prices"))
        report.plan = Examples.plan(table)
        report.plan?.sublayers["Dec_xx.9"] = .bcq(1)
        let broken = report
        #expect(throws: PlanError.unknownSublayer("Dec_xx.9")) { try broken.page() }
    }

    /// Where only some points list their schemes, the slider has these, and the page says how many.
    @Test func thinnedFrontier() throws {
        let table = Examples.table(layers: 1)
        let full = Self.frontier(table, plan: nil)
        let points = full.points.enumerated().map { index, point in
            FrontierTable.Point(
                bytes: point.bytes, klNats: point.klNats, sublayers: index % 3 == 0 ? point.sublayers : nil)
        }
        let report = ModelReport(
            name: "n", sensitivity: table,
            frontier: FrontierTable(
                model: full.model, provenance: full.provenance, fullPrecisionBytes: full.fullPrecisionBytes,
                extent: .complete, points: points, knee: 6, plans: [], prices: nil), plan: nil,
            comparison: nil)
        let page = try report.page()
        #expect(points.count == 19 && page.contains("7 of the frontier’s 19 plans, evenly spread"))
        #expect(page.contains("max=\"7\" value=\"3\" aria-valuetext=\"\(grouped(points[6].bytes)) bytes, "))
        // About a megabyte whatever the number of sublayers.
        for layers in [1, 6, 100] {
            let layout = Examples.layout(layers: layers)
            let listed = ModelReport.pageListing(of: layout)
            #expect(listed > 500 && listed * (60 + 2 * layout.sublayers.count) <= 1_000_000, "\(layers)")
        }
    }

    /// Candidates that a sublayer was not measured under.
    @Test func missingCells() throws {
        let full = Examples.table(layers: 1)
        let missing = full.layout.sublayers[1].name.description
        let table = SensitivityTable(
            model: full.model, layout: full.layout, provenance: full.provenance, fit: full.fit,
            candidates: full.candidates, fullPrecision: full.fullPrecision, byType: full.byType,
            bySublayer: full.bySublayer.filter { $0.row != missing || $0.scheme != .bcq(1) })
        let report = ModelReport(
            name: "n", sensitivity: table, frontier: Self.frontier(full, plan: nil), plan: nil,
            comparison: nil)
        let row = try #require(table.markdown.split(separator: "\n").last { $0.contains("| \(missing) ") })
        let fields = row.split(separator: "|", omittingEmptySubsequences: false).map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        #expect(fields.count == 9 && fields[5] == "" && fields[4] != "", "\(row)")
        #expect(try report.page().contains("<td></td>"))
    }
}
