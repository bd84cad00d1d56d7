import Foundation
import TestSupport
import Testing

/// The page of `report --html`, in a browser.
@Suite(.enabled(if: Browser.executable != nil, "no Chromium in PATH (Debian: apt-get install chromium)"))
struct BrowserTests {
    /// The page of the demo, made once, and the frontier that it shows.
    private static let demo: Result<(workspace: Workspace, page: String, points: [Point]), any Error> =
        Result {
            let root = TestFiles.root
            let table = root.appending(path: "Reports/demo.sensitivity.json").path
            let plan = root.appending(path: "Plans/demo.plan.json").path
            let comparison = root.appending(path: "Reports/demo.comparison.json").path
            let workspace = try Workspace()
            try Program.succeed(
                ["report", table, "--plan", plan, "--comparison", comparison]
                    + ["--html", workspace.path("demo.html")])
            let object = try Program.succeed(["frontier", table, "--plan", plan, "--json"]).object()
            let points = (object["points"] as? [[String: Any]] ?? []).compactMap { point in
                (point["bytes"] as? Int).map {
                    Point(bytes: $0, sublayers: point["sublayers"] as? [String: String])
                }
            }
            return (workspace, String(decoding: try workspace.read("demo.html"), as: UTF8.self), points)
        }

    private struct Point {
        let bytes: Int
        let sublayers: [String: String]?
    }

    /// What the page shows of a plan.
    private struct Shown: Codable, Equatable {
        let bytes: String
        let compression: String
        let loss: String
        let number: String
        let spoken: String
        let change: String
        let ring: String
        let address: String
        /// Name, bits and scheme of every sublayer.
        let rows: [[String]]
        /// Lengths of the bars.
        let bars: [String]
    }

    /// The demo's page with a script behind it that does `actions` and lists what is shown after each of
    /// them, what went wrong, and what the page loaded.
    private func shown(after actions: [String], fragment: String? = nil) throws -> [Shown] {
        let (_, page, _) = try Self.demo.get()
        let record = """
            <script>window.problems = []; addEventListener("error", e => problems.push(e.message));</script>
            """
        let script = """
            <script>
            addEventListener("load", async () => {
              const text = id => document.getElementById(id).textContent;
              const rows = () => [...document.querySelectorAll("#sublayers tbody tr")];
              const slider = document.getElementById("point");
              const all = [];
              const send = (value, kind) => { slider.value = value; slider.dispatchEvent(new Event(kind)); };
              for (const action of [\(actions.map { "() => \($0)" }.joined(separator: ", "))]) {
                action();
                await new Promise(done => setTimeout(done, 50));
                all.push({
                  bytes: text("bytes"), compression: text("compression"), loss: text("loss"),
                  number: text("number"), spoken: slider.getAttribute("aria-valuetext"), change: text("change"),
                  ring: document.getElementById("here").getAttribute("transform"), address: location.hash,
                  rows: rows().map(row => [0, 1, 2].map(i => row.cells[i].textContent.trim())),
                  bars: rows().map(row => row.querySelector("i").style.width),
                });
              }
              const result = { all, problems, loaded: performance.getEntriesByType("resource").length };
              document.body.innerHTML = "";
              document.body.dataset.result = btoa(unescape(encodeURIComponent(JSON.stringify(result))));
            });
            </script>
            """
        let workspace = try Workspace()
        let file = try workspace.write(
            page.replacingOccurrences(of: "<body>", with: "<body>\n" + record)
                .replacingOccurrences(of: "</body>", with: script + "\n</body>"), to: "driven.html")
        struct Result: Decodable {
            let all: [Shown]
            let problems: [String]
            let loaded: Int
        }
        let document = try Browser.document(file, fragment: fragment)
        let encoded = document.components(separatedBy: "data-result=\"").dropFirst().first?
            .prefix { $0 != "\"" }
        let data = try #require(
            encoded.flatMap { Data(base64Encoded: String($0)) }, "\(document.suffix(300))")
        let result = try JSONDecoder().decode(Result.self, from: data)
        #expect(result.problems == [] && result.loaded == 0, "\(result.problems), \(result.loaded) loaded")
        return result.all
    }

    private func grouped(_ value: Int) -> String {
        var text = "\(value)"
        for place in [3, 7, 11] where text.count > place {
            text.insert(",", at: text.index(text.endIndex, offsetBy: -place))
        }
        return text
    }

    /// Moved to several places, the slider shows the bytes and the schemes of the frontier's points.
    @Test func theSliderShowsThePlansOfTheFrontier() throws {
        let points = try Self.demo.get().points
        let listed = points.indices.filter { points[$0].sublayers != nil }
        try #require(listed.count > 5)
        let stops = stride(from: 0, to: listed.count, by: max(1, listed.count / 50)).map { listed[$0] }
        let moved = try shown(after: stops.map { "send(\($0 + 1), 'input')" })
        try #require(moved.count == stops.count)
        for (stop, shown) in zip(stops, moved) {
            let point = points[stop]
            #expect(shown.bytes == grouped(point.bytes) && shown.number == grouped(stop + 1))
            let ratio = Double(Fixture.fullPrecisionBytes) / Double(point.bytes)
            #expect(abs(try #require(Double(shown.compression.dropLast())) - ratio) < 0.006)
            #expect(
                shown.spoken == "\(shown.bytes) bytes, \(shown.compression), predicted KL, nats \(shown.loss)"
            )
            #expect(shown.rows.count == 22 && shown.bars.allSatisfy { $0.hasSuffix("%") })
            for row in shown.rows {
                #expect(row[2] == point.sublayers?[row[0]], "plan \(stop + 1): \(row)")
            }
        }
        let losses = moved.compactMap { Double($0.loss) }
        #expect(losses.count == moved.count && losses == losses.sorted(by: >))
        #expect(Set(moved.map(\.ring)).count == moved.count && Set(moved.map(\.bars)).count == moved.count)
        #expect(moved[0].change == "The smallest plan." && moved[1].change.contains(" → "))
    }

    /// An address opens the page at its plan; one that names none leaves it where it starts.
    @Test func theAddressKeepsThePlan() throws {
        let points = try Self.demo.get().points
        let byAddress = try #require(try shown(after: ["0"], fragment: "point=17").first)
        #expect(byAddress.number == "17" && byAddress.bytes == grouped(points[16].bytes))
        let bySlider = try shown(after: [
            "send(17, 'input')", "send(18, 'change')", "location.hash = '#point=3'",
        ])
        #expect(bySlider[0].rows == byAddress.rows && bySlider[0].ring == byAddress.ring)
        #expect(bySlider[0].spoken == byAddress.spoken && bySlider[1].address == "#point=18")
        #expect(bySlider[2].number == "3" && bySlider[2].bytes == grouped(points[2].bytes))
        let start = try #require(try shown(after: ["0"]).first)
        for wrong in ["point=0", "point=\(points.count + 1)", "point=-1", "point=x", "point=1.5", "why"] {
            let shown = try #require(try shown(after: ["0"], fragment: wrong).first)
            #expect(shown.number == start.number && shown.rows == start.rows, "\(wrong)")
        }
    }

    /// A press in the plot picks the plan whose bytes are nearest.
    @Test func thePlotPicksThePlanBelowThePointer() throws {
        let press = { (share: Double) in
            """
            (() => { const plot = document.querySelector(".plot"), box = plot.getBoundingClientRect();
              plot.dispatchEvent(new PointerEvent("pointerdown",
                { clientX: box.left + \(share) * box.width, clientY: box.top + 50 })); })()
            """
        }
        let points = try Self.demo.get().points
        let shown = try shown(after: [press(0), press(0.5), press(1)])
        #expect(shown[0].number == "1" && shown[2].number == grouped(points.count))
        let middle = try #require(Int(shown[1].number.replacing(",", with: "")))
        #expect(middle > 1 && middle < points.count)
    }

    /// Light and dark, wide and narrow: a page with content, and not the same one.
    @Test func whatTheEyeSees() throws {
        let file = try Self.demo.get().workspace.file("demo.html")
        let light = try Browser.screenshot(file, .init())
        let dark = try Browser.screenshot(file, .init(isDark: true))
        for png in [light, dark] { #expect(png.count > 40_000, "\(png.count)") }
        let (day, night) = (try Browser.pixels(light), try Browser.pixels(dark))
        #expect(day.colours > 100 && night.colours > 100, "\(day), \(night)")
        #expect(day.brightness > 200 && night.brightness < 60, "\(day), \(night)")
        let elsewhere = try Browser.screenshot(file, fragment: "point=3", .init())
        #expect(elsewhere != light, "another plan looks otherwise")
        let narrow = try Browser.screenshot(file, .init(width: 500))
        #expect(try Browser.pixels(narrow).colours > 50)
    }

    /// Nothing but what is meant to scroll is wider than a narrow page.
    @Test func narrowPagesDoNotScrollSideways() throws {
        let (_, page, _) = try Self.demo.get()
        let workspace = try Workspace()
        let frame = """
            <!DOCTYPE html><iframe id="f" width="360" height="700" srcdoc="\(page
                .replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "\"", with: "&quot;"))">
            </iframe><p id="out"></p>
            <script>
            onload = () => { const d = document.getElementById("f").contentDocument.documentElement;
              document.getElementById("out").textContent = `${d.scrollWidth} ${d.clientWidth};`; };
            </script>
            """
        let document = try Browser.document(try workspace.write(frame, to: "frame.html"))
        let widths =
            document.components(separatedBy: "id=\"out\">").last?.prefix { $0 != ";" }
            .split(separator: " ").compactMap { Int($0) } ?? []
        try #require(widths.count == 2 && widths[1] > 300, "\(widths)")
        #expect(widths[0] <= widths[1], "\(widths)")
    }
}
