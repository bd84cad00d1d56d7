import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat
import Testing

/// What a damaged file can hold is refused by name, never read.
@Suite struct MalformedTests {
    private let packed: PackedMatrix

    init() throws {
        packed = try Quantizer.encode(
            randomWeights(rows: 6, columns: 20, seed: 41), as: .bcq(2), fit: .greedy)
    }

    private func with(_ parts: [String: PackedTensor], _ scheme: Scheme? = nil) -> PackedMatrix {
        PackedMatrix(
            scheme: scheme ?? packed.scheme, rows: packed.rows, columns: packed.columns, parts: parts)
    }

    @Test func missingPart() {
        var parts = packed.parts
        parts["alphas"] = nil
        #expect(throws: PackedMatrixError.missingPart(scheme: .bcq(2), name: "alphas")) {
            try Quantizer.decode(with(parts))
        }
    }

    @Test func wrongShapeAndType() {
        var parts = packed.parts
        parts["signs"] = PackedTensor(type: .uint8, shape: [2, 5, 3], bytes: Data(count: 30))
        #expect(
            throws: PackedMatrixError.wrongPart(
                scheme: .bcq(2), name: "signs", expected: "U8 [2, 6, 3]", got: "U8 [2, 5, 3]")
        ) { try Quantizer.decode(with(parts)) }
        parts = packed.parts
        parts["alphas"] = PackedTensor(type: .float16, shape: [6, 1, 2], bytes: Data(count: 24))
        #expect(
            throws: PackedMatrixError.wrongPart(
                scheme: .bcq(2), name: "alphas", expected: "F32 [6, 1, 2]", got: "F16 [6, 1, 2]")
        ) { try Quantizer.decode(with(parts)) }
    }

    @Test func unknownPart() {
        var parts = packed.parts
        parts["extra"] = PackedTensor(type: .uint8, shape: [1], bytes: Data(count: 1))
        #expect(
            throws: PackedMatrixError.wrongPart(
                scheme: .bcq(2), name: "extra", expected: "no such part", got: "U8 [1]")
        ) {
            try Quantizer.decode(with(parts))
        }
    }

    @Test func clustersOfWrongSize() throws {
        let scheme = try #require(Scheme("emb2:r1"))
        let clustered = try Quantizer.encode(
            randomWeights(rows: 4, columns: 8, seed: 42), as: scheme, fit: .greedy)
        for membership in [[0, 1, 1, 1], [0, 0, 1, 2]] as [[UInt8]] {
            var parts = clustered.parts
            parts["cluster"] = PackedTensor(type: .uint8, shape: [4], bytes: Data(membership))
            #expect(throws: PackedMatrixError.self) {
                try Quantizer.decode(PackedMatrix(scheme: scheme, rows: 4, columns: 8, parts: parts))
            }
        }
    }

    @Test func indexBeyondTheBook() throws {
        let scheme = try #require(Scheme("pq:b4:k5"))
        let coded = try Quantizer.encode(
            randomWeights(rows: 4, columns: 8, seed: 43), as: scheme, fit: .greedy)
        var parts = coded.parts
        parts["indices"] = PackedTensor(type: .uint8, shape: [3], bytes: Data([0xFF, 0, 0]))
        #expect(
            throws:
                PackedMatrixError.badValue(
                    scheme: scheme, name: "indices", index: 0, message: "7 of 5 centroids")
        ) {
            try Quantizer.decode(PackedMatrix(scheme: scheme, rows: 4, columns: 8, parts: parts))
        }
    }

    @Test func frequenciesOfAnotherVocabulary() throws {
        let scheme = try #require(Scheme("emb2:r1"))
        #expect(
            throws: QuantizationError.contextMismatch("row frequencies: expected 4, one a row, got 3")
        ) {
            try Quantizer.encode(
                randomWeights(rows: 4, columns: 8, seed: 44), as: scheme, fit: .greedy,
                context: CalibrationContext(rowFrequencies: [1, 2, 3]))
        }
    }

    @Test func numbersTooLargeForHalves() throws {
        var weights = randomWeights(rows: 4, columns: 8, seed: 45)
        weights[2, 3] = 70000
        for text in ["fp16", "bcq2:fp16", "int4:fp16", "pq:b4:k5", "tcq2"] {
            let scheme = try #require(Scheme(text))
            #expect(throws: QuantizationError.halfOverflow(row: 2, column: 3, value: 70000)) {
                try Quantizer.encode(weights, as: scheme, fit: .greedy)
            }
        }
    }
}

/// Algorithm 1 on the packed form.
@Suite struct ClusteredCodesTests {
    @Test(arguments: ["emb4:r2", "tcq4-1:r2"])
    func frequentRowsGetMoreBits(_ text: String) throws {
        let weights = randomWeights(rows: 30, columns: 64, seed: 51)
        let frequencies = (0..<30).map { Double(($0 * 11) % 30) }
        let scheme = try #require(Scheme(text))
        let codes = try #require(scheme.family as? any RowClusters)
        let packed = try Quantizer.encode(
            weights, as: scheme, fit: .greedy, context: CalibrationContext(rowFrequencies: frequencies))
        let membership = try #require(packed.parts["cluster"]).bytes.map(Int.init)
        for (a, b) in zip(frequencies, membership) {
            for (c, d) in zip(frequencies, membership) where a > c { #expect(b <= d) }
        }
        let order = (0..<4).flatMap { cluster in (0..<30).filter { membership[$0] == cluster } }

        let decoded = try Quantizer.decode(packed)
        var start = 0
        for (cluster, size) in codes.sizes(rows: 30).enumerated() {
            let rows = Array(order[start..<start + size])
            let alone = try Quantizer.decode(
                Quantizer.encode(
                    weights.gathering(rows: rows), as: codes.codes(of: cluster).scheme, fit: .greedy))
            #expect(decoded.gathering(rows: rows) == alone, "cluster \(cluster)")
            start += size
        }
        #expect(start == 30)
    }
}
