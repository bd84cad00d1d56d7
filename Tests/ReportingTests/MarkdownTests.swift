import PlanFormat
import Reporting
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
    private static let table: SensitivityTable = {
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
                    klNats: kl, standardError: 0.001, crossEntropyNats: 2, sentences: 3, metric: metric))
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
    }()

    /// Chung's layout: more bits to the left, the mean loss in the last column.
    @Test func sensitivity() {
        let text = Self.table.markdown
        #expect(
            text.contains(
                "Full precision: BLEU 25.40, cross-entropy 1.5000 nats per token, 3 sentences. Codes: greedy."
            ))
        #expect(text.contains("| layer |  bcq2 | bcq1 | Avg.Deg |\n"))
        #expect(text.contains("| Enc   | 20.60 | 1.30 |  -14.45 |\n"))
        #expect(text.contains("| Enc_ee.0 | 12.5 ± 1.0 |"), "\(text)")
        #expect(text.contains("bytes at bcq1"))
    }

    @Test func planByTypeAndDepth() throws {
        let plan = Plan(
            model: Self.table.model, name: "b", sublayers: ["Emb": .bcq(1), "Enc_ee.*": .bcq(2)],
            measured: [
                .init(name: "b", bytes: 200, klNats: 0.5, metric: 20),
                .init(name: "a", bytes: 100, klNats: 0.75, metric: nil),
            ])
        #expect(
            try plan.bitsTable(of: Self.table.layout) == """
                | sublayer |    0 |
                | -------- | ---: |
                | Emb      | bcq1 |
                | Enc_ee   | bcq2 |

                """)
        let measured = plan.measuredTable(metricName: "BLEU", fullPrecisionBytes: 552)
        #expect(measured.contains("| b (written) |   200 |       2.76x | 0.5000 | 20.00 |"))
        #expect(measured.contains("| a           |   100 |       5.52x | 0.7500 |       |"))
    }

    @Test func comparison() {
        let text = comparisonTable(
            [
                ComparisonRow(name: "full", bytes: 1000, klNats: nil, metrics: [("bleu", 30)]),
                ComparisonRow(name: "plan", bytes: 400, klNats: 0.25, metrics: [("bleu", 29.5)]),
            ], fullPrecisionBytes: 1000)
        #expect(text.contains("| full  | 1,000 |       1.00x | 30.00 |        |"))
        #expect(text.contains("| plan  |   400 |       2.50x | 29.50 | 0.2500 |"))
    }
}
