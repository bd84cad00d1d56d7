import Foundation
import PlanFormat
import TestSupport
import Testing

@Suite struct SchemeTests {
    @Test(arguments: [
        "bcq1", "bcq8", "bcq3:g64", "bcq3:fp16", "bcq2:g64:fp16", "emb4:r2", "emb1:r1:fp16", "int2",
        "int8:tensor",
        "int4:g64", "int4:g64:asym", "int3:asym", "int5:tensor:asym:fp16", "nf4", "nf4:dq", "nf4:b32",
        "nf4:b128:dq",
        "pq:b8:k256", "pq:b4:k16:int8", "pq:b4:k16:int8:a8", "pq:b4:k16:a8", "tcq1", "tcq1.5", "tcq3.5:c:h",
        "tcq4", "tcq2:c", "tcq3:h",
        "tcq4:c:h", "tcq4-2:r4", "tcq3.5-1.5:r1", "index8", "sign",
        "sign:mean", "bitlinear", "bitlinear:4", "w8a8",
        "fp32", "fp16",
    ])
    func textComesBack(_ text: String) throws {
        let scheme = try #require(Scheme(text))
        #expect(scheme.description == text)
        let data = try JSONEncoder().encode([scheme])
        #expect(String(decoding: data, as: UTF8.self) == "[\"\(text)\"]")
        #expect(try JSONDecoder().decode([Scheme].self, from: data) == [scheme])
    }

    @Test(arguments: [
        "", "bcq", "bcq0", "bcq9", "bcq12", "bcq3:", "bcq3:g0", "bcq3:g-1", "bcq3:fp16:g64", "bcq3:g64:g64",
        "BCQ3", "emb4",
        "emb9:r1", "int1", "int9", "int4:sym", "nf4:dq:dq", "nf4:b0", "pq", "pq:b8", "pq:b8:k1", "pq:b8:k257",
        "pq:b8:k16:a8:int8", "pq:b8:k16:a4",
        "sign:x", "tcq", "tcq0", "tcq5", "tcq22", "tcq4.5", "tcq0.5", "tcq2.50", "tcq2.25", "tcq.5",
        "tcq2.5.5", "tcq4-2", "tcq2-4:r2", "tcq2-2:r2", "tcq4-2.5:r2", "tcq5-2:r2", "tcq4-2:r2:h",
        "tcq4-3-2:r2", "tcq2.0", "tcq2:h:c", "tcq2:w10", "tcq2:fp16",
        "bitlinear:0", "fp64", " bcq3", "bcq3 ", "int4:g99999",
    ])
    func whatNamesNoSchemeIsRefused(_ text: String) {
        #expect(Scheme(text) == nil)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([Scheme].self, from: Data("[\"\(text)\"]".utf8))
        }
    }

    /// Worked out by hand for a (10, 20) matrix.
    @Test(arguments: [
        ("fp32", 800), ("fp16", 400),
        ("bcq1", 10 * (3 + 4)), ("bcq3", 3 * 10 * (3 + 4)), ("bcq3:fp16", 3 * 10 * (3 + 2)),
        ("bcq2:g8", 2 * 10 * (3 + 3 * 4)), ("int3", 10 * 8 + 10 * 4), ("int3:tensor", 10 * 8 + 4),
        ("int8:asym", 200 + 10 * 8), ("int4:g8:fp16", 100 + 10 * 3 * 2), ("nf4", 100 + 4 * 4),
        ("nf4:dq", 100 + 4 + 4 + 4), ("pq:b8:k16", 15 + 16 * 8 * 2), ("pq:b4:k5:int8", 19 + 5 * 4 + 4),
        ("tcq2", 3 * 20 + 2 * 10), ("tcq2.5", 4 * 20 + 2 * 10), ("tcq3:c", 4 * 20 + 2 * 10 + 2 * 20),
        ("tcq1:h", 2 * 20 + 2 * 10),
        ("index8", 208),
        ("sign", 30), ("sign:mean", 34), ("bitlinear:2", 38), ("w8a8", 240),
        ("emb2:r1", 5 * 2 * 7 + 5 * 7 + 10),
    ])
    func sizeInBytes(_ text: String, _ bytes: Int) throws {
        #expect(try #require(Scheme(text)).sizeInBytes(rows: 10, columns: 20) == bytes)
    }

    private func clusterSizes(rows: Int, clusters: Int, ratio: Int) -> [Int] {
        let scheme = Scheme.clusteredCodes(clusters: clusters, ratio: ratio, alphas: .fp32)
        return (scheme.family as? Scheme.ClusteredCodes)?.sizes(rows: rows) ?? []
    }

    /// Bytes at odd shapes, as closed formulas in another language have them
    /// (`Scripts/goldens/make_scheme_sizes.py`).
    @Test func sizesOfClosedFormulas() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "Goldens/scheme_sizes.json")
        let golden = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
        var sizes = try #require(golden as? [String: [Any]])
        let shapes = try #require(sizes.removeValue(forKey: "shapes") as? [[Int]])
        #expect(sizes.count == 47)
        for (text, bytes) in sizes {
            let scheme = try #require(Scheme(text))
            #expect(
                shapes.map { scheme.sizeInBytes(rows: $0[0], columns: $0[1]) } == bytes as? [Int], "\(text)")
        }
    }

    /// A text form is one family's, and the list of schemes that laws are tested for has all families.
    @Test func families() {
        for family in Scheme.families {
            #expect(
                EveryScheme.list.contains { type(of: $0.family) == family },
                "\(family) has no scheme in the list")
        }
        for scheme in EveryScheme.list {
            #expect(Scheme(scheme.description) == scheme && scheme.family.scheme == scheme)
        }
    }

    /// Average bits of a weight's code.
    @Test(arguments: [
        ("fp32", 32), ("fp16", 16), ("bcq3:g64", 3), ("emb4:r1", 2.5), ("emb2:r3", 1.25), ("int5:asym", 5),
        ("nf4:dq", 4),
        ("pq:b8:k256", 1), ("pq:b4:k5:int8", 0.75), ("tcq3:h", 3), ("tcq2.5", 2.5), ("tcq4-2:r1", 3),
        ("tcq3-2:r4", 2.2), ("index8", 8),
        ("w8a8", 8),
        ("sign:mean", 1),
        ("bitlinear:4", 1),
    ])
    func codeBits(_ text: String, _ bits: Double) throws {
        #expect(abs(try #require(Scheme(text)).codeBits - bits) < 1e-12)
    }

    /// Algorithm 1: cluster i of b has `v r^i / sum r^k` rows at b - i bits; the paper's average bits for b =
    /// 4.
    @Test(arguments: [(1, 2.5), (2, 1.733), (4, 1.318), (8, 1.142)])
    func clusterSizes(_ ratio: Int, _ averageBits: Double) {
        let sizes = clusterSizes(rows: 32768, clusters: 4, ratio: ratio)
        #expect(sizes.reduce(0, +) == 32768)
        let bits = sizes.enumerated().reduce(0) { $0 + $1.element * (4 - $1.offset) }
        #expect(abs(Double(bits) / 32768 - averageBits) < 1e-3)
        for rows in [0, 1, 2, 3, 5, 4001] {
            for clusters in 1...8 {
                let sizes = clusterSizes(rows: rows, clusters: clusters, ratio: ratio)
                #expect(sizes.count == clusters && sizes.reduce(0, +) == rows && sizes.allSatisfy { $0 >= 0 })
            }
        }
    }
}
