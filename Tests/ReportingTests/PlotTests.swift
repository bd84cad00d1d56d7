import BitplanReporting
import Foundation
import PlanFormat
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// The pictures of a report.
@Suite struct PlotTests {
    /// The elements of a picture, as an XML parser reads them.
    private final class Reader: NSObject, XMLParserDelegate {
        var elements: [(name: String, attributes: [String: String], text: String)] = []
        private var open: [Int] = []

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String] = [:]
        ) {
            open.append(elements.count)
            elements.append((name, attributes, ""))
        }

        func parser(_ parser: XMLParser, foundCharacters text: String) {
            if let last = open.last { elements[last].text += text }
        }

        func parser(
            _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
        ) { open.removeLast() }

        static func read(_ svg: String) throws -> [(name: String, attributes: [String: String], text: String)]
        {
            let reader = Reader()
            let parser = XMLParser(data: Data(svg.utf8))
            parser.delegate = reader
            try #require(parser.parse(), "\(parser.parserError.map { "\($0)" } ?? "no XML")")
            return reader.elements
        }
    }

    private static let pictures: [(String, String)] = {
        let tables = [
            ("small", Examples.table(layers: 4)), ("deep", Examples.table(layers: 24)),
            ("very deep", Examples.table(layers: 80)), ("one layer", Examples.table(layers: 1)),
            (
                "many",
                Examples.table(layers: 6, candidates: Scheme.list("bcq1..4,int4:g64,nf4:dq,int8,fp32") ?? [])
            ),
        ]
        var pictures: [(String, String)] = []
        for (name, table) in tables {
            pictures.append(("\(name) map", table.mapSVG))
            if let bits = try? Examples.plan(table).bitsSVG(of: table.layout) {
                pictures.append(("\(name) bits", bits))
            }
        }
        return pictures + [
            ("frontier", Examples.frontier().plotSVG), ("one point", Examples.frontier(points: 1).plotSVG),
        ]
    }()

    /// What GitHub shows: well-formed, no scripts, no styles of its own, generic fonts, everything inside the
    /// picture.
    @Test func picturesAreWellFormed() throws {
        #expect(Self.pictures.count == 12)
        for (name, svg) in Self.pictures {
            let elements = try Reader.read(svg)
            let root = try #require(elements.first)
            #expect(root.name == "svg" && root.attributes["font-family"] == "sans-serif", "\(name)")
            let width = try #require(root.attributes["width"].flatMap(Double.init))
            let height = try #require(root.attributes["height"].flatMap(Double.init))
            #expect(root.attributes["viewBox"] == "0 0 \(plain(width)) \(plain(height))")
            #expect(width <= 840, "\(name): \(width) pixels are wider than a page of GitHub")
            let allowed = ["svg", "title", "text", "rect", "polyline", "polygon"]
            for element in elements.dropFirst() {
                #expect(allowed.contains(element.name), "\(name): \(element.name)")
                for (key, value) in element.attributes where ["x", "y", "width", "height"].contains(key) {
                    let number = try #require(Double(value), "\(name): \(key)=\(value)")
                    #expect((0...max(width, height)).contains(number), "\(name): \(key)=\(value)")
                }
                for pair in (element.attributes["points"] ?? "").split(separator: " ") {
                    let place = pair.split(separator: ",").compactMap { Double($0) }
                    try #require(place.count == 2, "\(name): \(pair)")
                    #expect(
                        (0...width).contains(place[0]) && (0...height).contains(place[1]), "\(name): \(pair)")
                }
            }
        }
    }

    private func plain(_ value: Double) -> String {
        value == value.rounded() ? String(Int(value)) : String(value)
    }

    @Test func theSameValuesGiveTheSameBytes() throws {
        #expect(Examples.table(layers: 4).mapSVG == Examples.table(layers: 4).mapSVG)
        #expect(Examples.frontier().plotSVG == Examples.frontier().plotSVG)
        #expect(Examples.table(layers: 4, seed: 2).mapSVG != Examples.table(layers: 4).mapSVG)
    }

    /// A field per sublayer and candidate says its cell; a larger loss is lighter.
    @Test func mapHasEveryCell() throws {
        let table = Examples.table(layers: 5)
        let elements = try Reader.read(table.mapSVG)
        var lightness: [(kl: Double, contrast: Double)] = []
        for cell in table.bySublayer {
            let note = "\(cell.row) \(cell.scheme): "
            let index = try #require(elements.firstIndex { $0.name == "title" && $0.text.hasPrefix(note) })
            let field = elements[index - 1]
            #expect(field.name == "rect")
            let fill = try #require(field.attributes["fill"])
            lightness.append((cell.measurement.klNats, Palette.contrast(fill, "#000000")))
            #expect(elements[index].text.contains(significant(cell.measurement.klNats, 4)))
            // The number in the field reads well on it.
            let text = elements[index + 1]
            #expect(text.name == "text")
            #expect(Palette.contrast(try #require(text.attributes["fill"]), fill) >= 4.5)
        }
        let sorted = lightness.sorted { $0.kl < $1.kl }
        for (less, more) in zip(sorted, sorted.dropFirst()) { #expect(less.contrast <= more.contrast + 0.05) }
    }

    /// The heights of the bars are the bits per weight.
    @Test func barsHaveTheHeightOfTheirBits() throws {
        let table = Examples.table(layers: 3)
        let plan = Examples.plan(table)
        let elements = try Reader.read(plan.bitsSVG(of: table.layout))
        var ratios: [Double] = []
        for (sublayer, scheme) in zip(table.layout.sublayers, try plan.schemes(of: table.layout)) {
            let bits = 8 * Double(sublayer.sizeInBytes(scheme)) / Double(sublayer.count)
            let note = "\(sublayer.name): \(scheme), \(fixed(bits, 2)) bits per weight"
            let index = try #require(elements.firstIndex { $0.text == note }, "\(note)")
            ratios.append(try #require(elements[index - 1].attributes["height"].flatMap(Double.init)) / bits)
        }
        let (least, most) = (try #require(ratios.min()), try #require(ratios.max()))
        #expect(most - least < 0.05 * most, "\(least)...\(most) pixels per bit")
    }

    /// The frontier goes right and down; hollow marks are measured, full ones predicted.
    @Test func frontierFallsAndPlansStandOnIt() throws {
        let elements = try Reader.read(Examples.frontier().plotSVG)
        let line = try #require(
            elements.first { $0.name == "polyline" && $0.attributes["stroke"] == Palette.frontier })
        let points = (line.attributes["points"] ?? "").split(separator: " ").map { pair in
            pair.split(separator: ",").compactMap { Double($0) }
        }
        #expect(points.count > 50)
        for (one, next) in zip(points, points.dropFirst()) { #expect(one[0] <= next[0] && one[1] <= next[1]) }
        func mark(_ note: String) throws -> [String: String] {
            let index = try #require(elements.firstIndex { $0.text.hasPrefix(note) }, "\(note)")
            return elements[index - 1].attributes
        }
        #expect(try mark("uniform bcq2: 900,000 bytes, KL 0.4000 predicted")["fill"] == Palette.uniform)
        #expect(try mark("uniform bcq2: 900,000 bytes, KL 0.3000 measured")["fill"] == "none")
        #expect(try mark("preset chung: 1,000,000 bytes, KL 0.2000 measured")["stroke"] == Palette.preset)
        #expect(try mark("in context: 950,000 bytes, KL 0.01000 predicted")["fill"] == Palette.chosen)
        #expect(!elements.contains { $0.text.hasPrefix("lost") }, "a plan without a loss has no mark")
    }

    /// A measured loss has its interval as a line from end to end, where it is known.
    @Test func intervalsOfWhatWasMeasured() throws {
        func plot(_ interval: Interval?) -> String {
            let plan = FrontierTable.PlanPoint(
                origin: .inContext, kind: .chosen, bytes: 950_000, predictedKL: 0.01, measuredKL: 0.04,
                measuredInterval: interval, leastKL: nil)
            let frontier = Examples.frontier()
            return FrontierTable(
                model: frontier.model, provenance: frontier.provenance, fullPrecisionBytes: 9_000_000,
                extent: .complete, points: frontier.points, knee: nil, plans: [plan], prices: nil
            ).plotSVG
        }
        let bars = { (svg: String) in
            try Reader.read(svg).filter {
                $0.attributes["stroke"] == Palette.chosen && $0.attributes["stroke-width"] == "1.5"
            }.map { try #require($0.attributes["points"]) }
        }
        let drawn = try bars(plot(Interval(low: 0.03, high: 0.05)))
        #expect(drawn.count == 3, "the line and a bar at either end")
        let line = drawn[0].split { $0 == "," || $0 == " " }.compactMap { Double($0) }
        #expect(line.count == 4 && line[0] == line[2] && line[1] > line[3], "a larger loss lies higher")
        #expect(try bars(plot(nil)).isEmpty && !plot(nil).contains("95%"))
        #expect(plot(Interval(low: 0.03, high: 0.05)).contains("bars: 95% interval"))
    }

    /// GitHub's pages, light and dark.
    @Test func coloursReadOnBothPages() {
        for page in ["#ffffff", "#0d1117"] {
            for colour in Palette.onPage {
                #expect(Palette.contrast(colour, page) >= 3, "\(colour) on \(page)")
            }
            #expect(Palette.contrast(Palette.ink, page) >= 4.2)
        }
        #expect(abs(Palette.contrast("#000000", "#ffffff") - 21) < 1e-9)
        #expect(abs(Palette.contrast("#777777", "#ffffff") - 4.478) < 0.001, "as WCAG's checkers say")
    }

    @Test func namesAreEscaped() throws {
        let layout = ModelLayout(
            sublayers: [
                SublayerShape(
                    name: SublayerName("A<b>&\"c\""),
                    matrices: [MatrixShape(tensor: "t", rows: 2, columns: 2)])
            ], fixedParameters: 0)
        let plan = Plan(model: ModelIdentity(type: "x", sha256: "0"), sublayers: ["*": .fp32])
        #expect(try Reader.read(plan.bitsSVG(of: layout)).contains { $0.text == "A<b>&\"c\"" })
    }
}
