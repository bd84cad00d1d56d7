import BitplanReporting
import PlanFormat
import Testing

/// Tables as Markdown.
@Suite struct MarkdownTests {
    @Test func columnsArePadded() {
        var table = MarkdownTable(["layer", "4", "bytes"])
        table.add(["Emb", "22.90", "1,000"])
        table.add(["Enc_ffn", "-1.0", "7"])
        #expect(
            table.text == """
                | layer   |     4 | bytes |
                | ------- | ----: | ----: |
                | Emb     | 22.90 | 1,000 |
                | Enc_ffn |  -1.0 |     7 |

                """)
    }

    @Test func barsAreEscaped() {
        var table = MarkdownTable(["a", "b"])
        table.add(["x|y", "||"])
        #expect(table.text.contains("| x\\|y | \\|\\| |"))
        #expect(MarkdownTable(["a"]).text == "| a   |\n| --- |\n")
    }

    /// A table of two sublayers and two schemes.
    private static let table = table(metricUnder: [.bcq(1), .bcq(2)])

    /// The same with the metric under some schemes.
    private static func table(metricUnder schemes: [Scheme]) -> SensitivityTable {
        let layout = ModelLayout(
            sublayers: [
                SublayerShape(
                    name: SublayerName("Emb"), matrices: [MatrixShape(tensor: "e", rows: 8, columns: 8)]),
                SublayerShape(
                    name: SublayerName("Enc_ee", depth: 0),
                    matrices: [MatrixShape(tensor: "q", rows: 8, columns: 8)]),
            ], fixedParameters: 10)
        func cell(_ row: String, _ bits: Int, _ kl: Double, _ metric: Double) -> SensitivityCell {
            SensitivityCell(
                row: row, scheme: .bcq(bits), bytes: 40 * bits,
                measurement: LossMeasurement(
                    klNats: kl, standardError: 0.001, crossEntropyNats: 2, sentences: 3,
                    metric: schemes.contains(.bcq(bits)) ? metric : nil))
        }
        return SensitivityTable(
            model: ModelIdentity(type: "marian", sha256: "00"), layout: layout,
            provenance: Provenance(tool: "t", dataSHA256: "00", sentences: 3, metric: "BLEU|beam:1"),
            fit: .greedy,
            candidates: [.bcq(1), .bcq(2)],
            fullPrecision: LossMeasurement(
                klNats: 0, standardError: nil, crossEntropyNats: 1.5, sentences: 3, metric: 25.4),
            byType: [
                cell("Emb", 1, 1.5, 1), cell("Emb", 2, 0.5, 19), cell("Enc", 1, 2, 1.3),
                cell("Enc", 2, 0.1, 20.6),
            ],
            bySublayer: [
                cell("Emb", 1, 1.5, 1), cell("Emb", 2, 0.5, 19), cell("Enc_ee.0", 1, 0.25, 13.6),
                cell("Enc_ee.0", 2, 0.0125, 23.7),
            ])
    }

    /// Chung's layout: more bits to the left, the mean loss in the last column.
    @Test func sensitivity() {
        let text = Self.table.markdown
        #expect(
            text.contains(
                "Full precision: BLEU 25.40, cross-entropy 1.5000 nats per prediction, 3 items. Codes: greedy."
            ))
        #expect(text.contains("| layer |  bcq2 | bcq1 | Avg.Deg |\n"))
        #expect(text.contains("| Enc   | 20.60 | 1.30 |  -14.45 |\n"))
        // Thousandths of a nat and half a 95% interval; Emb is more sensitive than Enc_ee beyond the noise.
        #expect(text.contains("| Enc_ee.0 | 12.50 ± 2.0 | 250.0 ± 2.0 |    2 |"), "\(text)")
        #expect(text.contains("| Emb      | 500.0 ± 2.0 |  1500 ± 2.0 |    1 |"), "\(text)")
        #expect(text.contains("bytes at bcq1"))
    }

    /// Where the metric was measured in the cells of largest KL alone, its tables say so, have no mean, and
    /// no column without a figure.
    @Test func metricInSomeCells() {
        let text = Self.table(metricUnder: [.bcq(1)]).markdown
        let note = "Measured in the cells of largest KL alone."
        #expect(text.contains(note) && !Self.table.markdown.contains(note))
        #expect(text.contains("| layer    |  bcq1 |\n"), "\(text)")
        #expect(text.contains("| Enc_ee.0 | 13.60 |\n"), "\(text)")
    }

    @Test func planByTypeAndDepth() throws {
        let plan = Plan(
            model: Self.table.model, origin: .named("b"), sublayers: ["Emb": .bcq(1), "Enc_ee.*": .bcq(2)],
            measured: [
                .init(origin: .named("b"), bytes: 200, klNats: 0.5, metric: 20),
                .init(origin: .named("a"), bytes: 100, klNats: 0.75, metric: nil),
            ])
        #expect(
            try plan.bitsTable(of: Self.table.layout).text == """
                | sublayer |    0 |
                | -------- | ---: |
                | Emb      | bcq1 |
                | Enc_ee   | bcq2 |

                """)
        let measured = plan.measuredTable(metricName: "BLEU", fullPrecisionBytes: 552).text
        #expect(measured.contains("| b (written) |   200 |       2.76x | 0.5000 | 20.00 |"), "\(measured)")
        #expect(measured.contains("| a           |   100 |       5.52x | 0.7500 |       |"))
    }

    @Test func comparison() {
        let text = ComparisonTable(
            metric: "BLEU", sentences: 3, isHeldOut: true, budgetBytes: 500,
            rows: [
                .init(name: "full", bytes: 1000, klNats: nil, metrics: ["bleu": 30, "accuracy": 0.912_34]),
                .init(name: "plan", bytes: 400, klNats: 0.25, metrics: ["bleu": 29.5, "accuracy": 0.9]),
            ]
        ).table.text
        #expect(text.contains("| model | bytes | compression | accuracy |  bleu |     KL |"))
        #expect(text.contains("| full  | 1,000 |       1.00x |   0.9123 | 30.00 |        |"))
        #expect(text.contains("| plan  |   400 |       2.50x |   0.9000 | 29.50 | 0.2500 |"))
    }

    /// Cells that the noise does not tell apart are marked, and share their ranks.
    @Test func overlappingCellsAreMarked() {
        let layout = Examples.layout(layers: 1)
        let losses: [String: [Double]] = [
            "Emb": [0.9, 0.5], "Enc_ee.0": [0.100, 0.098], "Enc_ffn.0": [0.101, 0.05],
            "Dec_dd.0": [0.2, 0.1],
            "Dec_ed.0": [0.05, 0.01], "Dec_ffn.0": [0.099, 0.02],
        ]
        let cells = layout.sublayers.flatMap { sublayer in
            [Scheme.bcq(1), .bcq(2)].enumerated().map { index, scheme in
                SensitivityCell(
                    row: sublayer.name.description, scheme: scheme, bytes: sublayer.sizeInBytes(scheme),
                    measurement: LossMeasurement(
                        klNats: losses[sublayer.name.description]?[index] ?? 0, standardError: 0.001,
                        crossEntropyNats: 1, sentences: 9))
            }
        }
        let text = SensitivityTable(
            model: ModelIdentity(type: "x", sha256: "0"), layout: layout,
            provenance: Provenance(tool: "t", dataSHA256: "0", sentences: 9, metric: "accuracy"),
            fit: .greedy,
            candidates: [.bcq(1), .bcq(2)],
            fullPrecision: LossMeasurement(klNats: 0, standardError: nil, crossEntropyNats: 1, sentences: 9),
            byType: [], bySublayer: cells
        ).markdown
        for row in [
            "| Emb       |   500.0 ± 2.0 | 900.0 ± 2.0 |    1 |",
            "| Dec_dd.0  |   100.0 ± 2.0 | 200.0 ± 2.0 |    2 |",
            "| Enc_ee.0  | 98.00 ± 2.0 ~ | 100.0 ± 2.0 |  3-5 |",
            "| Enc_ffn.0 |   50.00 ± 2.0 | 101.0 ± 2.0 |  3-5 |",
            "| Dec_ed.0  |   10.00 ± 2.0 | 50.00 ± 2.0 |    6 |",
        ] { #expect(text.contains(row), "\(row) in:\n\(text)") }
    }

    @Test func frontierAndPrices() {
        let text = Examples.frontier().markdown
        #expect(text.contains("All 500 plans"))
        #expect(text.contains("| **in context**    |   950,000 |       9.47x |"), "\(text)")
        #expect(text.contains("| smallest          |   400,000 |      22.50x |        2.500 |"))
        func step(_ kind: SublayerKind, _ scheme: Scheme, _ bytes: Int, _ kl: Double) -> SublayerStep {
            SublayerStep(
                sublayer: SublayerName(kind), scheme: scheme, bytesChange: bytes, klChange: kl,
                standardError: 0.001)
        }
        let up = step("B", .bcq(3), 1000, -0.002)
        let down = step("A", .bcq(1), -1000, 0.003)
        func entry(_ kind: SublayerKind, _ cheaper: SublayerStep?, _ dearer: SublayerStep?, _ isTie: Bool)
            -> PlanPrices.Entry
        {
            PlanPrices.Entry(
                sublayer: SublayerName(kind), scheme: .bcq(2), bytes: 2000, bitsPerWeight: 2.5,
                cheaper: cheaper,
                dearer: dearer, isNearTie: isTie, cheaperSeconds: -2e-5, dearerSeconds: 1e-5)
        }
        func markdown(klPerMillisecond: Double?) -> String {
            PlanPrices(
                basis: .context, klPerMegabyte: 2.5, klPerMillisecond: klPerMillisecond,
                sublayers: [entry("A", down, nil, true), entry("B", nil, up, false)],
                exchanges: [.init(up: up, down: down)], exchangeCount: 3
            ).markdown
        }
        let timed = markdown(klPerMillisecond: 0.125)
        #expect(timed.contains("a millisecond of a mean sentence 0.1250"), "\(timed)")
        // 0.003 nats for 0.02 ms, 0.002 nats for 0.01 ms.
        #expect(
            timed.contains("| -1,000 | ~ 3.00 | 0.150 |") && timed.contains("| +1,000 | ~ 2.00 | 0.200 |"),
            "\(timed)")
        let prices = markdown(klPerMillisecond: nil)
        #expect(!prices.contains("millisecond") && !prices.contains("KL/ms"))
        #expect(prices.contains("a megabyte is worth 2.500 nats"))
        #expect(
            prices.contains("| A        |   bcq2 | 2.50 | 2,000 | bcq1: +3.00 ± 2.0 | -1,000 | ~ 3.00 |"),
            "\(prices)")
        #expect(prices.contains("bcq3: -2.00 ± 2.0 | +1,000 | ~ 2.00 |"), "\(prices)")
        #expect(prices.contains("Near-ties: A."))
        #expect(prices.contains("3, of which the first 1."))
        #expect(prices.contains("| B to bcq3 | A to bcq1 |     +1.00 |     0 |"), "\(prices)")
    }

    /// Why a plan was written: what was set aside and by which difference, and what the items do not tell.
    @Test func judgementSaysWhy() throws {
        let table = Examples.table(layers: 2, metric: "BLEU|beam:1")
        var plan = Examples.plan(table)
        plan.origin = .sumOfLosses
        #expect(plan.judgement(metricName: "BLEU").count == 1, "nothing was measured")
        func comparison(_ items: Int, _ metric: Difference) -> PairedComparison {
            PairedComparison(
                name: "uniform bcq2", items: items,
                klNats: Difference(value: -0.0585, interval: Interval(low: -0.0715, high: -0.0455)),
                metric: metric)
        }
        let noisy = Difference(value: -0.96, interval: Interval(low: -5.25, high: 3.25))
        let worse = Difference(value: -2, interval: Interval(low: -3.5, high: -0.5))
        func measured(_ items: Int) -> [Plan.MeasuredPlan] {
            [
                .init(
                    origin: .inContext, bytes: 100, klNats: 0.005, metric: 40,
                    against: comparison(items, worse), setAside: .metric),
                .init(
                    origin: .sumOfLosses, bytes: 100, klNats: 0.0051,
                    klInterval: Interval(low: 0.004, high: 0.0062), metric: 42.67,
                    metricInterval: Interval(low: 38, high: 47), against: comparison(items, noisy)),
                .init(origin: .uniform(.bcq(2)), bytes: 90, klNats: 0.0636, metric: 43.63),
            ]
        }
        plan.measured = measured(200)
        let lines = plan.judgement(metricName: "BLEU")
        #expect(lines.count == 4)
        #expect(lines[0].contains("Set aside: in context") && lines[0].contains("-2.00 [-3.50, -0.50]"))
        #expect(lines[0].contains("noise of 200 items"))
        #expect(
            lines[1].contains("-0.05850 [-0.07150, -0.04550]") && lines[1].contains("-0.96 [-5.25, +3.25]"))
        #expect(
            lines[2].contains("±4.25") && lines[2].hasSuffix("KL decides.") && !lines[2].contains("fewer"))
        let text = plan.measuredTable(metricName: "BLEU", fullPrecisionBytes: 1000).text
        #expect(text.contains("| in context (set aside) ") && text.contains("| sum of losses (written) "))
        #expect(text.contains("0.005100 [0.004000, 0.006200] | 42.67 [38.00, 47.00]"), "\(text)")
        #expect(text.contains("KL against uniform bcq2"))
        let report = ModelReport(
            name: "n", sensitivity: table, frontier: Examples.frontier(), plan: plan, comparison: nil)
        #expect(
            try report.markdown(withFigures: false).contains(lines.joined(separator: "\n\n") + "\n\n| plan "))
        #expect(try report.page().contains("<p>\(lines[2])</p>"))
        plan.measured = Array(measured(8).dropFirst())
        let few = plan.judgement(metricName: "BLEU")
        #expect(few.count == 3 && few[1].hasPrefix("8 items: ") && few[1].contains("fewer than 30 items"))
        plan.origin = .uniform(.bcq(2))
        #expect(plan.judgement(metricName: "BLEU").count == 1, "the uniform plan is compared with nothing")
    }

    /// Every plan says what is known of its loss: what was measured with its interval, or that what it says
    /// is a prediction; and no interval that nothing gave.
    @Test func whatIsKnownOfTheLoss() throws {
        var table = Examples.table(layers: 1)
        var plan = Examples.plan(table)
        func line() throws -> String {
            let lines = plan.judgement(metricName: "BLEU")
            let line = try #require(lines.last)
            let report = ModelReport(
                name: "n", sensitivity: table, frontier: Examples.frontier(), plan: plan, comparison: nil)
            #expect(try report.markdown(withFigures: false).contains("\n\n\(line)\n\n"))
            #expect(try report.page().contains("<p>\(line)</p>"))
            return line
        }
        func predict(_ interval: Interval?) {
            plan.predicted = Plan.Prediction(bytes: 9, fixedBytes: 0, klNats: 0.25, klInterval: interval)
        }
        #expect(try line() == "Its KL was neither predicted nor measured.")
        predict(nil)
        let additive = try line()
        #expect(additive.contains("predicted to be 0.2500, a sum of losses"))
        #expect(additive.contains("not measured") && additive.contains("no interval is known"))

        plan.provenance = table.provenance
        plan.measured = [
            .init(
                origin: .inContext, bytes: 9, klNats: 0.2, klInterval: Interval(low: 0.18, high: 0.22),
                metric: nil)
        ]
        let measured =
            "Its KL on the 200 items that it was planned on: 0.2000, 95% interval 0.1800 to 0.2200."
        #expect(try line() == measured + " Predicted: 0.2500, a sum of losses, whose error was not known.")
        predict(Interval(low: 0.1, high: 0.5))
        #expect(try line() == measured + " Predicted: 0.2500, in 95 of 100 cases between 0.1000 and 0.5000.")
        plan.predicted = nil
        #expect(try line() == measured, "a uniform plan is not predicted")

        plan.fit = .curvature
        #expect(
            try line() == measured
                + " Codes of all plans are fitted on these items too, which flatters them.")
        plan.provenance = Provenance(
            tool: "t", dataSHA256: "00", sentences: 1, metric: nil, calibrationSHA256: "11")
        plan.measured = [.init(origin: .inContext, bytes: 9, klNats: 0.2, metric: nil)]
        #expect(
            try line()
                == "Its KL on the 1 items that it was planned on: 0.2000; they are too few for an interval.")
        table.proxy = .fisher
        #expect(try line().contains("too few"), "a report of estimates says it too")
    }

    /// What is inside the sublayers stands where it is asked for; the sublayers always do.
    @Test(arguments: [nil, ProxySignal.fisher])
    func matricesOnDemand(proxy: ProxySignal?) throws {
        var table = Examples.table(layers: 1, parts: ["q", "k"])
        table.proxy = proxy
        var plan = Examples.plan(table)
        plan.sublayers["Dec_ed.0.k"] = plan.sublayers["Dec_ed.0.q"]
        let report = ModelReport(
            name: "n", sensitivity: table, frontier: Examples.frontier(), plan: plan, comparison: nil)
        let short = try report.markdown(withFigures: false)
        let long = try report.markdown(withFigures: false, listsMatrices: true)
        let scheme = try #require(plan.sublayers["Dec_ed.0.q"])
        let mixed = try table.layout.sublayers.filter { $0.name.sublayer == "Enc_ee.0" }.map {
            (bytes: $0.sizeInBytes(try #require(plan.sublayers[$0.name.description])), count: $0.count)
        }
        let mean = 8 * Double(mixed.map(\.bytes).reduce(0, +)) / Double(mixed.map(\.count).reduce(0, +))
        for text in [short, long] {
            #expect(text.contains("| Dec_ed   |") && text.contains(" \(scheme) |"))
            #expect(text.contains("| Enc_ee   | \(fixed(mean, 2)) bits |"), "\(text)")
            #expect(text.contains("by sublayer") && text.contains("| Dec_ed.0  |"))
        }
        #expect(short.contains("`bitplan report --matrices`") && !long.contains("--matrices"))
        #expect(!short.contains("Enc_ee.0.q") && !short.contains("by matrix"))
        let whole = try #require(long.split(separator: "\n").first { $0.hasPrefix("| **Dec_ed.0** ") })
        #expect(long.contains("by matrix") && whole.contains(" \(scheme) |"), "\(long)")
        let layout = table.layout
        for (sublayer, scheme) in zip(layout.sublayers, try plan.schemes(of: layout))
        where sublayer.name.part != nil {
            let bytes = grouped(sublayer.sizeInBytes(scheme))
            let row = long.split(separator: "\n").first {
                $0.hasPrefix("| \(sublayer.name) ") && $0.contains(" \(bytes) |")
            }
            #expect(try #require(row).contains(" \(scheme) |"))
        }
        // Its sublayers' losses are the sums of their matrices'.
        let sum = table.bySublayer.filter {
            ["Enc_ee.0.q", "Enc_ee.0.k"].contains($0.row) && $0.scheme == .bcq(2)
        }.reduce(0) { $0 + $1.measurement.klNats }
        let row = short.split(separator: "\n").last { $0.hasPrefix("| Enc_ee.0 ") }
        #expect(try #require(row).contains(" \(klText(1000 * sum)) "), "\(short)")
        // A table of whole sublayers has nothing inside.
        let undivided = ModelReport(
            name: "n", sensitivity: Examples.table(layers: 1), frontier: Examples.frontier(), plan: nil,
            comparison: nil)
        #expect(
            try undivided.markdown(withFigures: false)
                == undivided.markdown(withFigures: false, listsMatrices: true))
    }

    /// The parts that there are, and no picture that does not stand beside it.
    @Test func reportHasItsParts() throws {
        let table = Examples.table(layers: 2, metric: "accuracy|classes:2")
        var plan = Examples.plan(table)
        var report = ModelReport(
            name: "small", sensitivity: table, frontier: Examples.frontier(), plan: nil, comparison: nil)
        #expect(try report.figures().map(\.name) == ["small.sensitivity.svg", "small.frontier.svg"])
        #expect(try !report.markdown(withFigures: false).contains("]("))
        plan.measured = [.init(origin: .inContext, bytes: 100, klNats: 0.123_456, metric: 0.876_54)]
        plan.overBudget = [.init(origin: .uniform(.bcq(4)), bytes: 200, klNats: 0.01, metric: 0.9)]
        plan.rounds = [.init(moves: 3, predictedKL: 0.2, measuredKL: 0.21, isAccepted: true)]
        report.plan = plan
        let text = try report.markdown(withFigures: true)
        for figure in try report.figures() { #expect(text.contains("](\(figure.name))")) }
        #expect(text.contains("| in context (written) "), "\(text)")
        #expect(
            text.contains("0.1235 |   0.8765 |") && text.contains("uniform bcq4 (over the budget)"), "\(text)"
        )
        #expect(
            text.contains("| 1     |               3 |       0.2000 |      0.2100 |       5.0% |   yes |"))
        report.plan?.sublayers["Dec_xx.9"] = .bcq(1)
        let broken = report
        #expect(throws: PlanError.unknownSublayer("Dec_xx.9")) { try broken.markdown(withFigures: true) }
        #expect(throws: PlanError.unknownSublayer("Dec_xx.9")) { try broken.figures() }
    }
}
