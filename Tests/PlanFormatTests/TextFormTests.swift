import PlanFormat
import Testing

/// Text forms: lists of schemes, sizes, sublayer names.
@Suite struct TextFormTests {
    @Test func lists() {
        #expect(Scheme.list("bcq1..4") == (1...4).map { .bcq($0) })
        #expect(
            Scheme.list("bcq2..3:g64,nf4")?.map(\.description) == ["bcq2:g64", "bcq3:g64", "nf4"])
        #expect(Scheme.list("bcq1..2,bcq2..3")?.count == 3, "each once")
        for text in ["", "bcq1..", "bcq..3", "bcq4..2", "bcq1..9", "bcq1,,bcq2", "bcq1,", "..", "bcq1...4"] {
            #expect(Scheme.list(text) == nil, "\(text)")
        }
    }

    static let layout = ModelLayout(
        sublayers: [
            SublayerShape(
                name: SublayerName("Emb"), matrices: [MatrixShape(tensor: "e", rows: 1000, columns: 10)])
        ], fixedParameters: 0)

    @Test(arguments: [
        ("20MB", 20_000_000), ("20MiB", 20_971_520), ("1.5kB", 1500), ("2KiB", 2048), ("0.001GB", 1_000_000),
        ("1gib", 1_073_741_824), ("1048576B", 1_048_576), ("10x", 4000), ("2.6bits", 3250), ("3X", 13333),
        (".5kb", 500),
        ("5.KB", 5000),
    ])
    func sizes(_ text: String, _ bytes: Int) throws {
        let target = try #require(SizeTarget(text))
        #expect(target.bytes(of: Self.layout) == bytes)
        #expect(SizeTarget(target.description) == target, "reads what it writes")
    }

    @Test(arguments: [
        "", "0", "20", "0MB", "0.0x", "0.4B", "20 MB", "20XB", "-3MB", "+3MB", "nanMB", "infMB", "1e6B",
        "0x10B", "MB", "x",
        "1.2.3MB", ".MB", "20MB ", "9999999999999999999999999GB", "٣MB",
    ])
    func whatIsNoSizeIsRefused(_ text: String) { #expect(SizeTarget(text) == nil) }

    @Test(
        "Sizes beyond any model are no limit, and no overflow",
        arguments: ["999999999999999GB", "999999999999999bits"])
    func hugeSizes(_ text: String) throws {
        let layout = ModelLayout(
            sublayers: [
                SublayerShape(
                    name: try #require(SublayerName("Enc_ffn.0")),
                    matrices: [MatrixShape(tensor: "w", rows: 1 << 20, columns: 1 << 10)])
            ], fixedParameters: 0)
        #expect(try #require(SizeTarget(text)).bytes(of: layout) >= layout.fullPrecisionBytes)
    }

    @Test func namesOfSublayers() {
        #expect(SublayerName("Enc_ee.3") == SublayerName("Enc_ee", depth: 3))
        #expect(SublayerName("Emb") == SublayerName("Emb"))
        #expect(SublayerName("Emb")?.depth == nil)
        #expect(SublayerName("Enc_ee.3.q_proj") == SublayerName("Enc_ee", depth: 3, part: "q_proj"))
        #expect(SublayerName("Emb.word.table") == SublayerName("Emb", part: "word.table"))
        #expect(SublayerName("Enc_ee.3.q_proj")?.sublayer == "Enc_ee.3")
        for text in [
            "", ".3", "Enc.", "Enc.-1", "Enc.03", "Enc.1.2", "Enc.+1", "Enc.1.", "Enc.1.a..b", "Enc..a",
        ] {
            #expect(SublayerName(text) == nil, "\(text)")
        }
        let names = ["Enc.10", "Enc.9", "Dec.0", "Emb"].compactMap { SublayerName($0) }
        #expect(
            names.sorted().map(\.description) == ["Dec.0", "Emb", "Enc.9", "Enc.10"], "depths are numbers")
    }

    @Test func rowsOfATable() {
        #expect(
            ChungTableTests.paper.groups.map(\.name)
                == ["Emb", "Enc", "Enc_ee", "Enc_ffn", "Dec", "Dec_dd", "Dec_ed", "Dec_ffn"])
        let groups = ChungTableTests.paper.groups
        #expect(groups[0].members == [0] && groups[1].members == Array(1...12))
        #expect(groups[5].members == stride(from: 13, to: 31, by: 3).map { $0 })
    }
}
