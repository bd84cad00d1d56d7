import BitplanMetrics
import Foundation
import TestSupport
import Testing

@Suite("BLEU and chrF against sacreBLEU")
struct CorpusMetricTests {
    struct Corpora: Decodable {
        var bleuSignature: String
        var chrFSignature: String
        var cases: [Corpus]
        var tatoebaTestClipped: Scores
    }

    struct Scores: Decodable {
        var bleu: Double
        var chrF: Double
    }

    struct Corpus: Decodable {
        var name: String
        var hypotheses: [String]
        var references: [String]
        var bleu: Double
        var precisions: [Double]
        var brevityPenalty: Double
        var text: String
        var chrF: Double
        /// Hypothesis length, reference length, 4 matches, 4 totals.
        var bleuStatistics: [[Int]]
        /// Hypothesis total, reference total, matches of each order.
        var chrFStatistics: [[Int]]
    }

    struct Tokenized: Decodable {
        var text: String
        var tokens: [String]
    }

    @Test func signaturesAreSacreBLEUs() throws {
        let corpora: Corpora = try golden("corpora")
        #expect(BLEU().signature == corpora.bleuSignature)
        #expect(ChrF().signature == corpora.chrFSignature)
    }

    @Test func tokensEqualScalarForScalar() throws {
        let cases = try golden("tokenizer", as: Cases<Tokenized>.self).cases
        #expect(cases.count > 300)
        for item in cases {
            // Swift's String equality would take composed and decomposed letters for the same.
            let tokens = Tokenizer13a.words(in: item.text).map { Array($0) }
            #expect(tokens == item.tokens.map { Array($0.unicodeScalars) }, "\(item.text.debugDescription)")
        }
    }

    @Test func bleuOfCorpora() throws {
        let corpora: Corpora = try golden("corpora")
        #expect(corpora.cases.count > 40)
        for corpus in corpora.cases {
            let sentences = try BLEU().statistics(
                hypotheses: corpus.hypotheses, references: corpus.references)
            for (index, (sentence, expected)) in zip(sentences, corpus.bleuStatistics).enumerated() {
                #expect(sentence == BLEU.Statistics(sacreBLEU: expected), "\(corpus.name), sentence \(index)")
            }
            let details = BLEU().details(sentences.reduce(.zero, +))
            #expect(abs(details.value - corpus.bleu) <= 1e-9, "\(corpus.name)")
            #expect(agrees(details.brevityPenalty, corpus.brevityPenalty, within: 1e-12), "\(corpus.name)")
            #expect(
                zip(details.precisions, corpus.precisions).allSatisfy { agrees($0, $1, within: 1e-12) },
                "\(corpus.name)")
            #expect(details.description == corpus.text)
        }
    }

    @Test func chrFOfCorpora() throws {
        let corpora: Corpora = try golden("corpora")
        for corpus in corpora.cases {
            let sentences = try ChrF().statistics(
                hypotheses: corpus.hypotheses, references: corpus.references)
            for (index, (sentence, expected)) in zip(sentences, corpus.chrFStatistics).enumerated() {
                #expect(sentence == ChrF.Statistics(sacreBLEU: expected), "\(corpus.name), sentence \(index)")
            }
            #expect(abs(ChrF().corpusScore(sentences) - corpus.chrF) <= 1e-9, "\(corpus.name)")
        }
    }

    @Test(
        .enabled(
            if: TestFiles.hasShared("models/tatoeba-en-de/data/test.de"),
            "needs ../shared/models/tatoeba-en-de"))
    func tatoebaTestSet() throws {
        let corpora: Corpora = try golden("corpora")
        let file = TestFiles.shared.appending(path: "models/tatoeba-en-de/data/test.de")
        let references = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(references.count == 2000)
        let hypotheses = references.enumerated().map { index, reference in
            reference.split(separator: " ", omittingEmptySubsequences: false).enumerated()
                .filter { $0.offset % 7 != index % 7 }.map(\.element).joined(separator: " ")
        }
        let bleu = try BLEU().corpusScore(hypotheses: hypotheses, references: references)
        #expect(abs(bleu - corpora.tatoebaTestClipped.bleu) <= 1e-9)
        let chrF = try ChrF().corpusScore(hypotheses: hypotheses, references: references)
        #expect(abs(chrF - corpora.tatoebaTestClipped.chrF) <= 1e-9)
    }

    @Test(
        .enabled(
            if: TestFiles.hasShared("models/tatoeba-en-de/goldens/goldens.json"),
            "needs ../shared/models/tatoeba-en-de"))
    func translationsOfTheReferenceModel() throws {
        struct Reference: Decodable {
            struct Scores: Decodable {
                var bleu: Double
                var chrf2: Double
                var sentences: Int
            }
            struct Sentence: Decodable {
                var reference: String
                var greedy: String
                var beam4: String?
            }
            var greedy: Scores
            var beam4: Scores
            var sentences: [Sentence]
        }
        let file = TestFiles.shared.appending(path: "models/tatoeba-en-de/goldens/goldens.json")
        let reference = try JSONDecoder().decode(Reference.self, from: Data(contentsOf: file))
        for (hypotheses, scores) in [
            (reference.sentences.map(\.greedy), reference.greedy),
            (reference.sentences.compactMap(\.beam4), reference.beam4),
        ] {
            #expect(hypotheses.count == scores.sentences)
            let references = reference.sentences.prefix(scores.sentences).map(\.reference)
            let bleu = try BLEU().corpusScore(hypotheses: hypotheses, references: references)
            #expect(abs(bleu - scores.bleu) <= 1e-6)
            let chrF = try ChrF().corpusScore(hypotheses: hypotheses, references: references)
            #expect(abs(chrF - scores.chrf2) <= 1e-6)
        }
    }

    @Test(arguments: 1...5)
    func laws(seed: Int) throws {
        try checkLaws(BLEU(), seed: seed)
        try checkLaws(ChrF(), seed: seed)
    }

    /// What holds for any corpus metric of ours.
    private func checkLaws<Metric: CorpusMetric>(_ metric: Metric, seed: Int) throws {
        var random = TestRandom(seed: seed)
        func sentence(of length: ClosedRange<Int>) -> String {
            let words = ["der", "Hund,", "schläft.", "3,5", "—", "東京", "e\u{301}", "a", "b"]
            return (0..<Int.random(in: length, using: &random)).map { _ in
                words.randomElement(using: &random)!
            }
            .joined(separator: " ")
        }
        let references = (0..<30).map { _ in sentence(of: 4...20) }
        // One sentence is translated perfectly, so that every order has matches: smoothed scores are not
        // scale-free.
        let hypotheses = [references[0]] + (1..<30).map { _ in sentence(of: 0...20) }
        let sentences = try metric.statistics(hypotheses: hypotheses, references: references)
        let score = metric.corpusScore(sentences)
        #expect(score > 0 && score < 100)

        let identical = try metric.corpusScore(hypotheses: references, references: references)
        #expect(abs(identical - 100) < 1e-9, "a corpus against itself")

        let order = Array(sentences.indices).shuffled(using: &random)
        #expect(metric.corpusScore(order.map { sentences[$0] }) == score, "the order of sentences")
        #expect(
            abs(metric.corpusScore(sentences + sentences) - score) < 1e-9, "the corpus twice")

        let total = sentences.reduce(.zero, +)
        var others = sentences
        let third = others.remove(at: 3)
        #expect(total - third == others.reduce(.zero, +))

        let spaced = hypotheses.map { "\u{3000}" + $0.replacingOccurrences(of: " ", with: " \t ") + "\n" }
        #expect(try metric.statistics(hypotheses: spaced, references: references) == sentences, "white space")

        let stored = try JSONEncoder().encode(sentences)
        #expect(try JSONDecoder().decode([Metric.Statistics].self, from: stored) == sentences)
    }

    @Test func badInput() throws {
        let mismatch = MetricError.lengthMismatch(
            first: "hypotheses", count: 2, second: "references", otherCount: 1)
        #expect(throws: mismatch) { try BLEU().corpusScore(hypotheses: ["a", "b"], references: ["a"]) }
        #expect(
            mismatch.description == "hypotheses and references must be of equal length: got 2 and 1")
        let empty = MetricError.tooFewSamples(metric: "chrF2", count: 0, minimum: 1)
        #expect(throws: empty) { try ChrF().corpusScore(hypotheses: [], references: []) }
        #expect(empty.description == "chrF2 needs at least 1 sample, got 0")
    }
}

extension BLEU.Statistics {
    /// From sacreBLEU's list: hypothesis length, reference length, 4 matches, 4 totals.
    init(sacreBLEU counts: [Int]) {
        self.init(
            matches: SIMD4(counts[2..<6]), totals: SIMD4(counts[6..<10]), hypothesisLength: counts[0],
            referenceLength: counts[1])
    }
}

extension ChrF.Statistics {
    /// From sacreBLEU's list: hypothesis total, reference total, matches of each order.
    init(sacreBLEU counts: [Int]) {
        self = .zero
        for order in 0..<6 {
            hypothesisTotals[order] = counts[3 * order]
            referenceTotals[order] = counts[3 * order + 1]
            matches[order] = counts[3 * order + 2]
        }
    }
}
