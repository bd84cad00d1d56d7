import BitplanLatency
import BitplanModels
import BitplanTensors
import PlanFormat
import Testing

/// The descriptions of what families run, against what they run.
@Suite struct WorkTests {
    static let families: [any ModelFamily.Type] = [
        MarianFamily.self, MarianNativeFamily.self, M2M100Family.self, MBartFamily.self, T5Family.self,
        BertFamily.self, LlamaFamily.self,
    ]

    /// The smallest shapes of all families, and the last, which differ in settings.
    static func specimens() throws -> [Specimen] {
        try families.flatMap { try $0.specimens().prefix(2) + $0.specimens().suffix(1) }
    }

    @Test func everyFamilyRunsTheProductsThatItsLayoutDescribes() throws {
        var generator = SeededGenerator(seed: 7)
        for specimen in try Self.specimens() {
            let work = try #require(specimen.layout.work)
            for _ in 0..<2 {
                let workload = work.workload(
                    read: 1 + generator.index(below: 9), generated: 1 + generator.index(below: 6))
                let record = try ProductRecord(specimen, workload)
                for sublayer in specimen.layout.sublayers {
                    for (index, matrix) in sublayer.matrices.enumerated() {
                        let expected = work[sublayer.name].products.filter { $0.matrices.contains(index) }
                            .flatMap {
                                [Int](
                                    repeating: workload.tokens($0.pass), count: workload.calls($0.pass))
                            }
                        let got = record.tokens[matrix.tensor] ?? []
                        #expect(
                            got.sorted() == expected.sorted(),
                            "\(specimen.modelType) \(sublayer.name) \(matrix.tensor), \(workload)")
                    }
                }
            }
        }
    }

    @Test func pairsOfQueriesAndKeys() {
        let workload = Workload(read: 5, steps: 3, predictions: 3)
        func pairs(_ pass: Pass, _ keys: SublayerWork.Attention.Keys) -> Double {
            SublayerWork.Attention(pass, over: keys, heads: 1, width: 1).pairs(workload)
        }
        #expect(pairs(.read, .read) == 25)
        #expect(pairs(.read, .readBefore) == 1 + 2 + 3 + 4 + 5)
        #expect(pairs(.step, .read) == 15)
        #expect(pairs(.step, .generated) == 1 + 2 + 3)
        #expect(pairs(.step, .readAndGenerated) == 6 + 7 + 8)
        // Windows of 3: the keys that each query sees, one by one.
        func windowed(_ pass: Pass, _ keys: SublayerWork.Attention.Keys, _ workload: Workload) -> Double {
            SublayerWork.Attention(pass, over: keys, heads: 1, width: 1, window: 3).pairs(workload)
        }
        #expect(windowed(.read, .readBefore, workload) == 1 + 2 + 3 + 3 + 3)
        #expect(windowed(.step, .readAndGenerated, workload) == 3 + 3 + 3)
        #expect(windowed(.step, .generated, workload) == 1 + 2 + 3)
        let short = Workload(read: 1, steps: 3, predictions: 3)
        #expect(windowed(.read, .readBefore, short) == 1)
        #expect(windowed(.step, .readAndGenerated, short) == 2 + 3 + 3)
        #expect(windowed(.step, .generated, Workload(read: 1, steps: 5, predictions: 5)) == 1 + 2 + 3 + 3 + 3)
        let two = Workload(read: 6, steps: 0, predictions: 1, sequences: 2)
        #expect(SublayerWork.Attention(.read, over: .read, heads: 1, width: 1).pairs(two) == 9 + 9)
    }
}
