import PlanFormat
import Testing

/// The sizes of Chung et al. 2020, Table 2.
@Suite struct ChungTableTests {
    /// The paper's model: d 512, ffn 2048, 6+6 layers, one tied embedding of 32,768 tokens; 63,488 numbers
    /// stay FP32 (biases of the feed-forward layers and all LayerNorms, two final ones included).
    static let paper: ModelLayout = {
        let width = 512
        func attention(_ name: SublayerName) -> SublayerShape {
            SublayerShape(
                name: name,
                matrices: ["q", "k", "v", "o"].map {
                    MatrixShape(tensor: "\(name).\($0)", rows: width, columns: width)
                })
        }
        func feedForward(_ name: SublayerName) -> SublayerShape {
            SublayerShape(
                name: name,
                matrices: [
                    MatrixShape(tensor: "\(name).fc1", rows: 2048, columns: width),
                    MatrixShape(tensor: "\(name).fc2", rows: width, columns: 2048),
                ])
        }
        let embedding = SublayerShape(
            name: SublayerName("Emb"), matrices: [MatrixShape(tensor: "Emb", rows: 32768, columns: width)])
        let encoder = (0..<6).flatMap {
            [attention(SublayerName("Enc_ee", depth: $0)), feedForward(SublayerName("Enc_ffn", depth: $0))]
        }
        let decoder = (0..<6).flatMap {
            [
                attention(SublayerName("Dec_dd", depth: $0)), attention(SublayerName("Dec_ed", depth: $0)),
                feedForward(SublayerName("Dec_ffn", depth: $0)),
            ]
        }
        return ModelLayout(sublayers: [embedding] + encoder + decoder, fixedParameters: 63_488)
    }()

    /// Bits of a block: everywhere the same, Chung's own choice by type, or FP32.
    enum Bits: Sendable {
        case full, uniform(Int), chung

        func scheme(_ type: String) -> Scheme {
            switch self {
            case .full: .fp32
            case .uniform(let bits): .bcq(bits)
            case .chung:
                .bcq(["Enc_ee": 3, "Enc_ffn": 4, "Dec_dd": 2, "Dec_ed": 3, "Dec_ffn": 1][type] ?? 0)
            }
        }
    }

    static func cluster(_ ratio: Int) -> Scheme { .clusteredCodes(clusters: 4, ratio: ratio, alphas: .fp32) }

    static func schemes(_ embedding: Scheme, _ decoder: Bits, _ encoder: Bits) -> [Scheme] {
        paper.sublayers.map { sublayer in
            let type = sublayer.name.kind.rawValue
            return type == "Emb" ? embedding : (type.hasPrefix("Enc") ? encoder : decoder).scheme(type)
        }
    }

    /// Rows of Table 2: name, schemes, the MB column.
    static let rows: [(name: String, schemes: [Scheme], megabytes: Double)] = [
        ("FP", schemes(.fp32, .full, .full), 237.8),
        ("3-bit", schemes(.bcq(3), .uniform(3), .uniform(3)), 23.7),
        ("2-bit", schemes(.bcq(2), .uniform(2), .uniform(2)), 15.9),
        ("2-bit Emb", schemes(.bcq(2), .full, .full), 176.1),
        ("2.5,FP,FP", schemes(cluster(1), .full, .full), 177.7),
        ("1.3,FP,FP", schemes(cluster(4), .full, .full), 175.2),
        ("1.1,FP,FP", schemes(cluster(8), .full, .full), 174.8),
        ("2.5,1.8,FP", schemes(cluster(1), .chung, .full), 85.1),
        ("1.3,1.8,FP", schemes(cluster(4), .chung, .full), 82.5),
        ("1.1,1.8,FP", schemes(cluster(8), .chung, .full), 82.2),
        ("2.5,1.8,3.7", schemes(cluster(1), .chung, .chung), 20.2),
        ("1.3,1.8,3.7", schemes(cluster(4), .chung, .chung), 17.6),
        ("1.1,1.8,3.7", schemes(cluster(8), .chung, .chung), 17.2),
    ]

    @Test func parameterCounts() {
        #expect(Self.paper.parameterCount == 60_880_896)
        #expect(Self.paper.fullPrecisionBytes == 243_523_584)
        func count(_ prefix: String) -> Int {
            Self.paper.sublayers.filter { $0.name.kind.rawValue.hasPrefix(prefix) }.reduce(0) {
                $0 + $1.count
            }
        }
        #expect(count("Emb") == 16_777_216 && count("Enc") == 18_874_368 && count("Dec") == 25_165_824)
    }

    /// A MB of the paper is 1,024,000 bytes. "2-bit Emb" is left out: its figure disagrees with all the
    /// others.
    @Test(arguments: rows.indices.filter { rows[$0].name != "2-bit Emb" })
    func megabytes(_ index: Int) {
        let row = Self.rows[index]
        let megabytes = Double(Self.paper.sizeInBytes(row.schemes)) / 1_024_000
        #expect(
            abs(megabytes - row.megabytes) < 0.1, "\(row.name): \(megabytes), the paper says \(row.megabytes)"
        )
    }

    /// The paper's codes take 20,680,704 bytes; the stored form adds one byte a token, the cluster that it is
    /// in.
    @Test func exactBytesOfChungsPlan() {
        #expect(Self.paper.sizeInBytes(Self.rows[10].schemes) == 20_680_704 + 32_768)
    }

    @Test func presetIsThatPlan() {
        #expect(Self.paper.chung() == Self.rows[10].schemes)
        #expect(Self.paper.chung(ratio: 4) == Self.rows[11].schemes)
        #expect(Self.paper.chung(ratio: 8) == Self.rows[12].schemes)
        let bert = ModelLayout(
            sublayers: [SublayerShape(name: SublayerName("Attention", depth: 0), matrices: [])],
            fixedParameters: 0)
        #expect(bert.chung() == nil)
    }
}
